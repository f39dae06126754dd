"""Rules that a policy file can ask for, one file per kind.

The built-in kinds are found as anyone else's are: through the entry-point group
``autoscaler.policies`` (see :mod:`autoscaler.policies.registry`). All are pure: they import the core
only, and time and data are arguments.
"""
