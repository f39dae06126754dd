"""Bugs planted on purpose: each is put into a copy of the program, and the tests named with it must fail."""
