"""A third party's policy: a fixed count of replicas."""

from __future__ import annotations

from pydantic import Field

from autoscaler.core.proposals import Policy, Proposal, View


class Steady(Policy, kind="steady"):
    """Keep exactly ``replicas`` replicas, the service's total."""

    replicas: int = Field(ge=0, le=10_000)

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """One proposal: floor and ceiling at the same count."""
        reason = f"{self.replicas} replicas are to be kept"
        return (Proposal(reason, at_least=self.replicas, at_most=self.replicas),)
