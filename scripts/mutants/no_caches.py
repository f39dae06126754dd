"""A plugin of pytest: the program's functions without their caches.

With them only the first test to ask would be seen to execute what a cached function does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

_lru_cache = functools.lru_cache


def _is_ours(function: object) -> bool:
    return str(getattr(function, "__module__", "")).startswith("autoscaler.")


def _bare(function: Any) -> Any:
    function.cache_clear = lambda: None
    return function


def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
    """As functools', but for the program's own functions."""
    if callable(maxsize):
        return _bare(maxsize) if _is_ours(maxsize) else _lru_cache(maxsize)

    def decorate(function: Callable[..., Any]) -> Any:
        return _bare(function) if _is_ours(function) else _lru_cache(maxsize, typed)(function)

    return decorate


functools.lru_cache = lru_cache
functools.cache = lambda function: lru_cache(maxsize=None)(function)
