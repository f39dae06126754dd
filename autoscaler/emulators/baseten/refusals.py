"""Answers that are errors, and the bodies they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

RATE_LIMITED: Final = "Rate limit exceeded. Please try again later."


class Refused(Exception):
    """The answer is an error. ``code`` is the inference API's word for it."""

    def __init__(self, status: int, text: str, code: str | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.code = code


def error_reply(
    status: int, text: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """``{"error": ...}``; with ``error_code`` on the inference side, with ``retry_after`` for 429.

    Source: docs.baseten.co, reference/management-api/rate-limits; PyPI ``baseten`` 0.13.1 (ErrorResponse).
    The management API's other errors are published nowhere; they have the same key here.
    """
    body: dict[str, Any] = {"error": text}
    if status == 429:
        wait = (headers or {}).get("Retry-After", "")
        body["error"] = RATE_LIMITED
        if wait.isdecimal():  # Baseten tells it in the body, not in a header.
            body["retry_after"] = int(wait)
            headers = {key: value for key, value in (headers or {}).items() if key != "Retry-After"}
    if code is not None:
        body |= {"error_code": code, "detail": None}
    return web.json_response(body, status=status, headers=headers)
