"""What a key allows, in words, from the JSON schema of its model: for messages and for the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

Schema = Mapping[str, Any]

CREDENTIALS: Final = frozenset({"username"})
"""Keys that are kept like secrets, whatever their type in the model."""

_FORMATS: Final = {
    "uuid": "a UUID",
    "path": "a path",
    "text-file": "the path of a text file",
    "uri": "an address",
    "time": "a time of day",
}


class _Tolerant(GenerateJsonSchema):
    # A third party's model may have a field that JSON schema cannot say; its key is documented all the same.
    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:  # noqa: ARG002
        return {}


@cache
def schema_of(model: type[BaseModel]) -> Schema:
    """The JSON schema of a model's input."""
    return model.model_json_schema(schema_generator=_Tolerant)


def fields_of(model: type[BaseModel]) -> Mapping[str, Schema]:
    """Each key of a model and its schema, references followed."""
    whole = schema_of(model)
    found = {key: _followed(one, whole) for key, one in whole.get("properties", {}).items()}
    return {key: {**one, "format": "password"} if key in CREDENTIALS else one for key, one in found.items()}


def types_of(schema: Schema) -> frozenset[str]:
    """JSON types that the key may have."""
    options = [option for one in _options(schema) for option in (one.get("type"), _type_of_words(one))]
    return frozenset(option for option in options if isinstance(option, str))


def holds_secret(schema: Schema) -> bool:
    """Whether the value, or anything in it, is a secret."""
    return is_secret(schema) or any(
        any(holds_secret(option[key]) for key in ("items", "additionalProperties") if _is_schema(option, key))
        for option in _options(schema)
    )


def is_secret(schema: Schema) -> bool:
    """Whether the value itself is one secret text: such a key has a ``_file`` twin."""
    return any(option.get("format") == "password" for option in (schema, *_options(schema)))


def is_path(schema: Schema) -> bool:
    """Whether the value is a path; those are relative to the configuration file."""
    return any(option.get("format") in ("path", "file-path", "directory-path") for option in _options(schema))


def has_format(schema: Schema, word: str) -> bool:
    """Whether the value may be a text of this format."""
    return any(option.get("format") == word for option in _options(schema))


def at(schema: Schema, keys: tuple[str | int, ...]) -> Schema:
    """The schema of something inside a value; empty where nothing is known."""
    for key in keys:
        inner = next((one for one in (_inside(option, key) for option in _options(schema)) if one), None)
        if inner is None:
            return {}
        schema = inner
    return schema


def describe(schema: Schema, key: str = "") -> str:
    """What is allowed: "a number of seconds from 1 to 3600"."""
    words = [_one(option, key) for option in _options(schema) if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(word for word in words if word)) or "another value"


def unit_of(key: str) -> str:
    """The unit that a key's name carries; empty where it carries none."""
    if "usd_per_gpu_hour" in key:
        return "USD per GPU-hour"
    if "usd_per_hour" in key:
        return "USD per hour"
    for ending, unit in _UNITS.items():
        if key.endswith(ending):
            return unit
    if key == "gpus_per_replica":
        return "GPUs"
    return "requests at once" if key == "capacity_per_replica" else "replicas" if "replicas" in key else ""


_UNITS: Final = {"_s": "seconds", "_percent": "percent", "_bytes_max": "bytes"}


def _one(schema: Schema, key: str) -> str:
    words = _fixed(schema)
    if words:
        return words
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "integer" | "number" as kind:
            unit = " of seconds" if key.endswith("_s") else ""
            return f"a {'whole ' if kind == 'integer' else ''}number{unit}{_range(schema)}"
        case "string":
            return _text(schema)
        case "array":
            items = schema.get("items") or {}
            inner = describe(items) if items else ""
            return f"a list, each {inner}" if inner and inner != "another value" else "a list"
        case "object":
            return "a table"
    return ""


def _fixed(schema: Schema) -> str:
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(word) for word in schema["enum"])
    return ""


def _type_of_words(schema: Schema) -> str | None:
    words = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return "string" if any(isinstance(word, str) for word in words) else None


def _text(schema: Schema) -> str:
    words = _FORMATS.get(schema.get("format", ""), "text")
    least, most = schema.get("minLength"), schema.get("maxLength")
    if "pattern" in schema:
        words += f" that matches {schema['pattern'].removeprefix('^').removesuffix('$')}"
    if most is not None:
        words += f" of {least} to {most} characters" if least else f" of at most {most} characters"
    elif least:
        words += " that is not empty" if least == 1 else f" of at least {least} characters"
    return words


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    words = []
    if low is not None:
        words.append(f"at least {_number(low)}")
    if above is not None:
        words.append(f"above {_number(above)}")
    if high is not None:
        words.append(f"at most {_number(high)}")
    if below is not None:
        words.append(f"below {_number(below)}")
    return f" {' and '.join(words)}" if words else ""


def _number(value: float) -> str:
    return f"{value:.15g}"


def _options(schema: Schema) -> list[Schema]:
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return [inner for option in schema[key] for inner in _options(option)]
    return [schema]


def _is_schema(schema: Schema, key: str) -> bool:
    return isinstance(schema.get(key), Mapping)


def _inside(schema: Schema, key: str | int) -> Schema | None:
    if isinstance(key, int):
        return schema["items"] if _is_schema(schema, "items") else None
    if key in schema.get("properties", {}):
        inner: Schema = schema["properties"][key]
        return inner
    return schema["additionalProperties"] if _is_schema(schema, "additionalProperties") else None


def _followed(schema: Any, whole: Schema, depth: int = 0) -> Any:
    """The schema with its references replaced, down to a depth that no key of ours reaches."""
    if depth > 16:
        return {}
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            target = whole.get("$defs", {}).get(schema["$ref"].rsplit("/", 1)[-1], {})
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return _followed({**target, **rest}, whole, depth + 1)
        return {key: _followed(value, whole, depth + 1) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_followed(value, whole, depth + 1) for value in schema]
    return schema
