"""What a configuration would have cost and who would have waited: the decision over a simulated world."""
