"""Mutation testing of the core and the policies, by a sample of all mutants that cosmic-ray can make."""
