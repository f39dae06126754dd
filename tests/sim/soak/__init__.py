"""Proof by simulation: seeded bad weather for the whole daemon, and a referee who does not know its code."""
