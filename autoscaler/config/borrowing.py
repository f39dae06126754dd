"""A source that uses a provider's account: what its table leaves out comes from the provider's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from autoscaler.config.document import Keys
from autoscaler.config.drafts import refer
from autoscaler.config.problems import listed
from autoscaler.config.reader import Reader
from autoscaler.sources import Borrowing

KEY: Final = "provider"

_TOLD: Final = "not-known"  # stands for a credential whose absence has been told


@dataclass(frozen=True, slots=True)
class Lenders:
    """The ``[providers.NAME]`` tables: settings as far as they are right, and the word of each one's kind."""

    settings: Mapping[str, BaseModel]
    words: Mapping[str, str | None]


def filled(
    reader: Reader, table: Mapping[str, Any], keys: Keys, borrowing: Borrowing, lenders: Lenders
) -> dict[str, Any]:
    """The table of a source with what it takes from its provider; what cannot be taken is told.

    A key of the table itself goes before, and so does the ``_file`` twin of a secret.
    """
    own = dict(table)
    lender = _lender(reader, own, keys, borrowing, lenders)
    for key in (borrowing.credential, *borrowing.keys):
        value = getattr(lender, key, None)
        if value is not None and not _is_given(own, key):
            own[key] = _as_written(value)
    if not _is_given(own, borrowing.credential) and reader.reads_secrets:
        # Either the provider's own table is wrong, or this one: told once, there or here.
        if KEY not in own:
            reader.problem((*keys, borrowing.credential), _neither(borrowing))
        own[borrowing.credential] = _TOLD
    return own


def lent(sources: Iterable[BaseModel]) -> frozenset[str]:
    """The providers that sources name."""
    return frozenset(name for one in sources if (name := getattr(one, KEY, None)) is not None)


def _lender(
    reader: Reader, table: Mapping[str, Any], keys: Keys, borrowing: Borrowing, lenders: Lenders
) -> BaseModel | None:
    name = table.get(KEY)
    word = refer(reader, name, (*keys, KEY), lenders.words, KEY)
    if word is None:
        return None
    if word != borrowing.provider_kind:
        right = [one for one, other in lenders.words.items() if other == borrowing.provider_kind]
        allowed = listed(right) if right else "none, since the file has none"
        reader.problem(
            (*keys, KEY),
            f"is of kind {word}; allowed is a provider of kind {borrowing.provider_kind}: {allowed}",
            name,
        )
        return None
    return lenders.settings.get(str(name))


def _is_given(table: Mapping[str, Any], key: str) -> bool:
    return key in table or f"{key}_file" in table


def _as_written(value: object) -> object:
    """A value of a model as it would stand in a table."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value


def _neither(borrowing: Borrowing) -> str:
    key = borrowing.credential
    return (
        f"is required; allowed is text, or the path of a file that holds it in {key}_file, "
        f"or {KEY}, the name of a [providers.NAME] table of kind {borrowing.provider_kind}"
    )
