"""Frozen dataclasses to JSON values and back, leaving out what equals its default.

For the journal's own records (plans, checkpoints): written and read by this program, so a value of a
wrong shape is a damaged record, and raises.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def pack(value: Any) -> Any:
    """A JSON value; dataclasses become objects without their default fields."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    shape = _shape(cast(Hashable, kind))
    if shape is not None:
        values, named = shape
        packed: dict[str, Any] = {}
        for item, (name, default) in zip(values(value), named, strict=True):
            if item is not default and item != default:
                packed[name] = item if type(item) in _PLAIN else pack(item)
        return packed
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Mapping):
        return {str(k): pack(v) for k, v in value.items()}
    return [pack(item) for item in value]


def spell_out(value: Any) -> Any:
    """As ``pack``, with every field, for readers who do not know the defaults."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: spell_out(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): spell_out(v) for k, v in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [spell_out(item) for item in value]
    return pack(value)


_PLAIN = frozenset({int, float, bool, type(None), str})


@cache
def _shape(kind: Hashable) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[tuple[str, Any], ...]] | None:
    """How to read all fields of a dataclass at once, and their names and defaults; None for other types."""
    if not is_dataclass(kind):
        return None
    found = []
    for f in fields(cast(Any, kind)):
        default = f.default
        if default is MISSING and f.default_factory is not MISSING:
            default = f.default_factory()
        found.append((f.name, default))
    names = [name for name, _ in found]
    # ``attrgetter`` of one name gives the value, not a tuple of it.
    read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return read, tuple(found)


def unpack(kind: type[T], value: Any) -> T:
    """The value of this type that ``pack`` made.

    Raises: ValueError, TypeError or KeyError for anything else.
    """
    result: T = _reader(cast(Hashable, kind))(value)
    return result


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(kind)
    if origin is tuple:
        args = get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            item = _reader(args[0])
            return lambda value: tuple(item(v) for v in value)
        readers = tuple(_reader(a) for a in args)
        return lambda value: tuple(r(v) for r, v in zip(readers, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        item = _reader(get_args(kind)[1])
        return lambda value: {k: item(v) for k, v in value.items()}
    if origin is Literal or kind is Any:
        return lambda value: value
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, tuple):  # a named tuple
        return lambda value: kind(*value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _scalar(kind)


def _scalar(kind: Any) -> Callable[[Any], Any]:
    if kind is float:
        return float
    if kind in (int, str, bool):

        def read(value: Any) -> Any:
            if not isinstance(value, kind):
                raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")
            return value

        return read
    return lambda value: value


def _union(kind: Any) -> Callable[[Any], Any]:
    options = [a for a in get_args(kind) if a is not type(None)]
    if len(options) != 1:
        raise TypeError(f"cannot read a choice of {options}")
    inner = _reader(options[0])
    return lambda value: None if value is None else inner(value)


def _dataclass(kind: type) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = {f.name: _reader(hints[f.name]) for f in fields(kind)}

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected an object for {kind.__name__}, found {type(value).__name__}")
        return kind(**{name: readers[name](item) for name, item in value.items() if name in readers})

    return read
