"""Answers that are errors: DeepInfra has two bodies for them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import ValidationError


class Refused(Exception):
    """The answer is an error: ``{"error": "..."}``, or ``{"detail": [...]}`` for most of 422."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body

    def response(self) -> web.Response:
        """What is sent."""
        return web.json_response(self.body, status=self.status)


def refused(status: int, text: str) -> Refused:
    """An error in the words of most statuses."""
    return Refused(status, {"error": text})


def invalid(place: tuple[str | int, ...], text: str, kind: str = "value_error") -> Refused:
    """422 for one value of a request."""
    return Refused(422, {"detail": [{"loc": list(place), "msg": text, "type": kind}]})


def unfit(error: ValidationError) -> Refused:
    """422 for a body that does not fit its schema."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    detail = [{"loc": ["body", *one["loc"]], "msg": one["msg"], "type": one["type"]} for one in found]
    return Refused(422, {"detail": detail})
