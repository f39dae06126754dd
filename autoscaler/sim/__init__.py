"""What a configuration would have cost, and who would have waited: the decision in virtual time over the world."""
