"""What several runs over the same demand cost and who waited: as a table, as JSON, and as a page with plots."""
