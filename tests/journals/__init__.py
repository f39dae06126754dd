"""Tests of the signal sources."""
