"""The simulated plant: deployments, replicas, a gateway's queue and a day of demand.

Pure and deterministic: the same seed and the same calls give the same world. Time is an argument.
"""
