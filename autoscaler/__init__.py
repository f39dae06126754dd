"""Neutral autoscaler and cost optimiser for hosted GPU inference."""

from typing import Final

__version__: Final = "0.1.0"
