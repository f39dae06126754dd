"""Exoscale Dedicated Inference, as published: signed requests, exact counts, asynchronous operations.

Sources: Exoscale API reference (AI deployments), PyPI ``exoscale`` 0.16.4. What neither says is a
choice of ours; docs/emulators.md lists those.
"""

from __future__ import annotations

from autoscaler.emulators.exoscale.emulator import PUBLIC_ID, ExoscaleEmulator
from autoscaler.emulators.exoscale.operations import OperationReason, OperationState
from autoscaler.emulators.exoscale.settings import ErrorBody, ExoscaleSettings, NextOperations

__all__ = [
    "PUBLIC_ID",
    "ErrorBody",
    "ExoscaleEmulator",
    "ExoscaleSettings",
    "NextOperations",
    "OperationReason",
    "OperationState",
]
