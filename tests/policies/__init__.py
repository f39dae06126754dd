"""Policies: what they want, what they say, how they are found."""
