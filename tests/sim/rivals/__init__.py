"""The rivals keep to their sources: worked examples by hand, traps included."""
