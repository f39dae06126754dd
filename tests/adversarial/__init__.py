"""Inputs that nobody should send, and what must not come of them."""
