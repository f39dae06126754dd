"""A file that a policy names: read with the configuration, so that deciding reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

FORMAT: Final = "text-file"
"""The word by which the loader finds such keys in a policy's JSON schema, at any depth."""

DIGEST_CHARS: Final = 16

CONTEXT: Final = "files"
"""Where the loader puts what it read, by path, in the context of validation."""


@dataclass(frozen=True, slots=True)
class CouldNotRead:
    """Why the content of a file is not known, as a person reads it; stands for the content in the context."""

    reason: str


@dataclass(frozen=True, slots=True)
class TextFile:
    """The type of a policy's key that names a UTF-8 file; the value holds what was in it.

    The configuration's loader reads the file, beside the policy file, before the policy is made. In dumps,
    and so in the configuration's hash, there is a digest of the content in place of the path.
    """

    path: str
    text: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text in files, this type in models."""
        return core_schema.with_info_plain_validator_function(
            cls._of, serialization=core_schema.plain_serializer_function_ser_schema(cls._digest)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What a person writes."""
        return {"type": "string", "format": FORMAT}

    @classmethod
    def _of(cls, value: object, info: core_schema.ValidationInfo) -> TextFile:
        if isinstance(value, TextFile):
            return value
        if not isinstance(value, str):
            raise ValueError("not a path; allowed is the path of a text file")
        read: Mapping[str, str | CouldNotRead] = (info.context or {}).get(CONTEXT, {})
        text = read.get(value, CouldNotRead("was not read; files are read with the configuration only"))
        if isinstance(text, CouldNotRead):
            raise ValueError(text.reason)
        return cls(value, text)

    def _digest(self) -> str:
        return f"sha256:{sha256(self.text.encode()).hexdigest()[:DIGEST_CHARS]}"
