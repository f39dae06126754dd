"""Exoscale's EXO2-HMAC-SHA256, from the verifier's side.

Source: PyPI ``requests-exoscale-auth`` 1.1.2, whose requests this must accept and no others.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

_SCHEME: Final = "EXO2-HMAC-SHA256 "
_ALLOWED: Final = frozenset({"credential", "signed-query-args", "expires", "signature"})
_REQUIRED: Final = frozenset({"credential", "expires", "signature"})


def refusal(
    *,
    authorization: str | None,
    method: str,
    target: str,
    body: bytes,
    now: float,
    secrets: Mapping[str, str],
) -> str | None:
    """Why this request is not let in, without any secret; None: it is signed as it should be.

    ``target`` is the request line's, as sent: a re-encoded copy breaks the signature. ``secrets`` by key.
    """
    pragmas = _pragmas(authorization)
    if isinstance(pragmas, str):
        return pragmas
    secret = secrets.get(pragmas["credential"])
    if secret is None:
        return "unknown credential"
    expires = pragmas["expires"]
    if not (expires.isascii() and expires.isdecimal()):
        return "expires is not a number of seconds"
    if int(expires) < now:
        return "signature has expired"
    path, _, query = target.partition("?")
    arguments = parse_qs(query)  # empty values are dropped, as the signer drops them
    if pragmas.get("signed-query-args", "") != ";".join(sorted(arguments)):
        return "signed-query-args does not name the query's arguments in order"
    message = b"\n".join(
        (
            f"{method} {path}".encode(),
            body,
            "".join(arguments[name][0] for name in sorted(arguments) if len(arguments[name]) == 1).encode(),
            b"",
            expires.encode(),
        )
    )
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    given = pragmas["signature"].encode("utf-8", "replace")
    if not hmac.compare_digest(base64.standard_b64encode(digest), given):
        return "signature does not match"
    return None


def _pragmas(authorization: str | None) -> dict[str, str] | str:
    """The header's parts, or what is wrong with it."""
    if authorization is None:
        return "no Authorization header"
    if not authorization.startswith(_SCHEME):
        return "Authorization is not EXO2-HMAC-SHA256"
    pairs = [part.partition("=")[::2] for part in authorization[len(_SCHEME) :].split(",")]
    pragmas = dict(pairs)
    if len(pragmas) != len(pairs) or not _REQUIRED <= set(pragmas) <= _ALLOWED:
        return "Authorization needs credential, expires and signature, once each"
    return pragmas
