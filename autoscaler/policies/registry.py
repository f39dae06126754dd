"""Which kinds of policy there are: the built-in ones and those of any installed distribution.

A distribution adds kinds through the entry-point group ``autoscaler.policies``; each entry point names a
subclass of :class:`autoscaler.core.proposals.Policy`. The class says its ``kind``, the word in policy
files; the entry point's own name is free, and by custom the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Final

from autoscaler.core.model import REASONS
from autoscaler.core.proposals import Policy

GROUP: Final = "autoscaler.policies"
_OURS: Final = "autoscaler"
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class PolicyKindError(ValueError):
    """Kinds could not be loaded; the text has one line for each, with distribution and entry point."""


@cache
def load_policies() -> Mapping[str, type[Policy]]:
    """Policy classes by kind, as installed when first asked. Raises: PolicyKindError."""
    return collect(entry_points(group=GROUP))


def collect(found: Iterable[EntryPoint]) -> Mapping[str, type[Policy]]:
    """The classes that entry points name, by kind; built-in ones first, so that a clash blames the other.

    Raises: PolicyKindError, with all troubles at once.
    """
    kinds: dict[str, type[Policy]] = {}
    origin: dict[str, str] = {}
    troubles: list[str] = []
    for entry_point in sorted(found, key=_order):
        where = _where(entry_point)
        try:
            policy = _load(entry_point)
        except PolicyKindError as error:
            troubles.append(f"{where} {error}")
            continue
        if policy.kind in kinds:
            troubles.append(
                f"{where} claims the kind {policy.kind!r}, which is taken by {origin[policy.kind]}"
            )
            continue
        kinds[policy.kind] = policy
        origin[policy.kind] = where
    if troubles:
        raise PolicyKindError("\n".join(troubles))
    return MappingProxyType(kinds)


def _load(entry_point: EntryPoint) -> type[Policy]:
    try:
        policy = entry_point.load()
    except Exception as error:  # Another's module: its import may raise anything.
        raise PolicyKindError(f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not (isinstance(policy, type) and issubclass(policy, Policy)):
        raise PolicyKindError("is not a subclass of autoscaler.core.proposals.Policy")
    if not policy.kind:
        raise PolicyKindError('has no kind; write class Name(Policy, kind="...")')
    if not _KIND.fullmatch(policy.kind):
        raise PolicyKindError(f"has the kind {policy.kind!r}; allowed is a lower-case letter, then a-z 0-9 _")
    if policy.kind in REASONS:
        raise PolicyKindError(f"has the kind {policy.kind!r}, which is a reason code of the core")
    if policy.propose is Policy.propose:
        raise PolicyKindError("does not define propose(view)")
    return policy


def _order(entry_point: EntryPoint) -> tuple[bool, str, str, str]:
    distribution = _distribution(entry_point)
    return distribution != _OURS, distribution, entry_point.name, entry_point.value


def _distribution(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist is not None else "unknown distribution"


def _where(entry_point: EntryPoint) -> str:
    return f"{_distribution(entry_point)}: entry point {entry_point.name} = {entry_point.value}"
