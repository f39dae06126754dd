"""What several runs over the same demand cost and who waited: as a table, JSON, and a page with plots."""
