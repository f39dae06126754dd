"""The benchmark of decision quality: what a policy pays to keep a promise, over a plan that knew the future.

``python -m benchmarks.quality TRACES`` runs it; ``docs/quality.md`` defines it and shows the figures.
"""
