"""EXO2-HMAC-SHA256: how a call to Exoscale proves who sent it.

Source: PyPI ``requests-exoscale-auth`` 1.1.2, the signer of the official client.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import standard_b64encode
from collections.abc import Iterable
from typing import Final

EXPIRES_AFTER_S: Final = 600


def authorization(
    key: str,
    secret: str,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    body: bytes,
    expires: int,
) -> str:
    """The ``Authorization`` header.

    ``path`` is what goes over the wire, ``/v2`` included; ``query`` holds decoded arguments; ``body``
    is the bytes that are sent; ``expires`` is in seconds since the Unix epoch.
    """
    values: dict[str, list[str]] = {}
    for name, value in query:
        if value:  # The official signer drops an argument without a value altogether,
            values.setdefault(name, []).append(value)
    names = sorted(values)
    # and names one that is given twice, but leaves its values out.
    signed_values = "".join(values[name][0] for name in names if len(values[name]) == 1)
    message = b"\n".join(
        (f"{method} {path}".encode(), body, signed_values.encode(), b"", str(expires).encode())
    )
    digest = hmac.new(secret.encode(), message, hashlib.sha256).digest()
    pragma = f",signed-query-args={';'.join(names)}" if names else ""
    signature = standard_b64encode(digest).decode()
    return f"EXO2-HMAC-SHA256 credential={key}{pragma},expires={expires},signature={signature}"
