"""What every client with a credential needs to know: what fits a header, what stays on this machine."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, SecretStr


def _fits_a_header(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()  # a secret file ends in a line end
    if not text:
        raise ValueError("is empty")
    if not text.isascii() or not text.isprintable() or any(character in ' ,"' for character in text):
        raise ValueError("has characters that no key has")
    return SecretStr(text)


HeaderSecret = Annotated[SecretStr, AfterValidator(_fits_a_header)]
"""A key, token or secret that goes, or is used for what goes, into an HTTP header."""


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
