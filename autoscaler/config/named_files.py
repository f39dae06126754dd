"""Files that a policy names: read here, once, so that the policy itself never opens one.

A policy says with the type :class:`autoscaler.policies.files.TextFile` that a key names a file, at any depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from autoscaler.config import allowed
from autoscaler.policies.files import FORMAT, CouldNotRead

BYTES_MAX: Final = 1_048_576

Contents = dict[str, str | CouldNotRead]
"""What each file holds, by its name in the table; or why that is not known."""


def with_files(
    kind: type[BaseModel], table: Mapping[str, Any], base: Path, contents: Contents
) -> dict[str, Any]:
    """Fill ``contents`` with the files that the table names, relative to ``base``.

    Returns the table, with a whole path where a name stands for another file already.
    """
    fields = allowed.fields_of(kind)
    return {key: _resolved(value, fields.get(key, {}), base, contents) for key, value in table.items()}


def _resolved(value: Any, schema: allowed.Schema, base: Path, contents: Contents) -> Any:
    if isinstance(value, str):
        if not value or not allowed.has_format(schema, FORMAT):
            return value
        name = value if value not in contents else str(base / value)
        contents[name] = _read(base, value)
        return name
    if isinstance(value, Mapping):
        return {key: _resolved(one, allowed.at(schema, (key,)), base, contents) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, allowed.at(schema, (n,)), base, contents) for n, one in enumerate(value)]
    return value


def _read(base: Path, name: str) -> str | CouldNotRead:
    try:
        with (base / name).open("rb") as handle:
            content = handle.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        return CouldNotRead(f"cannot be read: {reason}; allowed is the path of a text file from {base}")
    if len(content) > BYTES_MAX:
        return CouldNotRead(f"is larger than {BYTES_MAX} bytes; allowed is a smaller file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return CouldNotRead("is not UTF-8 text; allowed is a text file")
