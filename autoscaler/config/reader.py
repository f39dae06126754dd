"""Reading a table into its models: trouble becomes problems, nothing is raised, secrets stay hidden."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from autoscaler.config import allowed
from autoscaler.config.document import Document, Keys
from autoscaler.config.problems import HIDDEN, Problem, shown, sounds_secret, unknown

SECRET_BYTES_MAX: Final = 65_536
ENVIRONMENT: Final = "environment"
Model = TypeVar("Model", bound=BaseModel)
_NOT_READ: Final = "not-read"
_SCRUB_CHARS_MIN: Final = 8  # Shorter ones would black out ordinary words of ours.
_ABSENT: Final = object()

_TYPE_NAMES: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a table",
}
_WORDS_OF_OTHERS: Final = ("value_error", "assertion_error")
_OUT_OF_RANGE: Final = ("greater_than", "less_than", "finite_number", "multiple_of", "too_long", "too_short")


class Reader:
    """Collects what is wrong while tables become models.

    ``names`` says which values came from the environment. ``reads_secrets`` False: secrets are neither
    required nor looked at, and no file but the configuration's own is opened.
    """

    def __init__(
        self, document: Document, names: Mapping[Keys, str], base: Path, *, reads_secrets: bool
    ) -> None:
        self.document = document
        self.base = base
        self.reads_secrets = reads_secrets
        self._names = names
        self._secrets: set[str] = set()
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    # --- what was found -------------------------------------------------------------------------

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems so far, each once, without secrets."""
        return tuple(dict.fromkeys(self._scrubbed(problem) for problem in self._problems))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """All warnings so far, each once, without secrets."""
        return tuple(dict.fromkeys(self._scrubbed(problem) for problem in self._warnings))

    @property
    def problems_count(self) -> int:
        """How many times something was wrong so far."""
        return len(self._problems)

    def problem(self, keys: Keys, message: str, value: object = _ABSENT, *, hidden: bool = False) -> None:
        """Something that stops the start."""
        self._problems.append(self._at(keys, message, value, hidden=hidden))

    def warn(self, keys: Keys, message: str, value: object = _ABSENT) -> None:
        """Something that ``check`` tells."""
        self._warnings.append(self._at(keys, message, value, hidden=False))

    def adopt(self, problems: Iterable[Problem]) -> None:
        """Problems of another file."""
        self._problems.extend(problems)

    def _at(self, keys: Keys, message: str, value: object, *, hidden: bool) -> Problem:
        text = None if value is _ABSENT else HIDDEN if hidden else shown(value)
        keys = self._written(keys)
        if name := self._name_of(keys):
            return Problem(ENVIRONMENT, name, text, message)
        return Problem(
            self.document.file, self.document.spoken(keys), text, message, self.document.line_of(keys)
        )

    def _name_of(self, keys: Keys) -> str | None:
        return next((self._names[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self._names), None)

    def _written(self, keys: Keys) -> Keys:
        """Where a value of a service comes from: its own table, else [defaults]."""
        if len(keys) < 3 or keys[0] != "services" or self._is_there(keys):
            return keys
        default = ("defaults", *keys[2:])
        return default if self._is_there(default) else keys

    def _is_there(self, keys: Keys) -> bool:
        return self.document.get(keys) is not None or self._name_of(keys) is not None

    def _scrubbed(self, problem: Problem) -> Problem:
        # A validator may repeat what it was given; ours do not, but another's may.
        value, message = problem.value, problem.message
        for secret in (secret for secret in self._secrets if len(secret) >= _SCRUB_CHARS_MIN):
            message = message.replace(secret, HIDDEN)
            value = value.replace(secret, HIDDEN) if value is not None else None
        return Problem(problem.file, problem.key, value, message, problem.line)

    # --- tables ---------------------------------------------------------------------------------

    def table(self, value: object, keys: Keys) -> dict[str, Any]:
        """The value, which must be a table; empty where it is not."""
        if isinstance(value, Mapping):
            return dict(value)
        self.problem(keys, f"wrong type, {type_name(value)}; allowed is a table", value, hidden=True)
        return {}

    def tables(self, value: object, keys: Keys) -> list[tuple[Keys, dict[str, Any]]]:
        """The entries of an array of tables, and where each is."""
        if not isinstance(value, list):
            self.problem(keys, f"wrong type, {type_name(value)}; allowed is an array of tables", value)
            return []
        return [
            ((*keys, n), self.table(one, (*keys, n)))
            for n, one in enumerate(value)
            if self._is_table(one, keys, n)
        ]

    def _is_table(self, value: object, keys: Keys, position: int) -> bool:
        if isinstance(value, Mapping):
            return True
        self.table(value, (*keys, position))
        return False

    def model(
        self,
        kind: type[Model],
        table: Mapping[str, Any],
        keys: Keys,
        context: Mapping[str, Any] | None = None,
    ) -> Model | None:
        """The table as this model; None, and problems, where it is not."""
        return self.models((kind,), table, keys, context)[0]  # type: ignore[return-value]

    def models(
        self,
        kinds: Sequence[type[BaseModel]],
        table: Mapping[str, Any],
        keys: Keys,
        context: Mapping[str, Any] | None = None,
    ) -> tuple[BaseModel | None, ...]:
        """One table that several models share: each takes its own keys; one that none has is unknown.

        ``context`` is what validators of the models may look at besides.
        """
        known = {key for kind in kinds for key in names_of(kind)}
        if not any(kind.model_config.get("extra") == "allow" for kind in kinds):
            self._report_unknown(table, known, keys, may_hide=any(map(has_secrets, kinds)))
        return tuple(self._validated(kind, table, keys, context) for kind in kinds)

    def _report_unknown(
        self, table: Mapping[str, Any], known: set[str], keys: Keys, *, may_hide: bool
    ) -> None:
        for key in table:
            if key not in known:
                # The value of a mistyped secret is a secret.
                hidden = sounds_secret(key) or (may_hide and isinstance(table[key], str))
                self.problem((*keys, key), unknown(key, known), table[key], hidden=hidden)

    def _validated(
        self,
        kind: type[BaseModel],
        table: Mapping[str, Any],
        keys: Keys,
        context: Mapping[str, Any] | None,
    ) -> BaseModel | None:
        fields = allowed.fields_of(kind)
        extra = kind.model_config.get("extra") == "allow"
        own = {key: value for key, value in table.items() if key in fields or extra}
        before = len(self._problems)
        for key, schema in fields.items():
            if allowed.holds_secret(schema):
                self._take_secret(key, schema, kind, table, own, keys)
            elif allowed.is_path(schema) and isinstance(own.get(key), str):
                self._take_path(key, own, keys)
        try:
            # JSON keeps the types of TOML and knows texts for paths, ids and times; strict: 15 is not "15".
            text = json.dumps(own, default=str)
            model = kind.model_validate_json(text, strict=True, context=context)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                self._report(detail, fields, own, keys)
            return None
        return model if len(self._problems) == before else None

    def _report(
        self, detail: ErrorDetails, fields: Mapping[str, allowed.Schema], own: Mapping[str, Any], keys: Keys
    ) -> None:
        place, value = _resolved(detail["loc"], own, is_missing=detail["type"] == "missing")
        schema: allowed.Schema = {}
        if place:
            schema = allowed.at(fields.get(str(place[0]), {}), place[1:])
            top = fields.get(str(place[0]), {})
            hidden = allowed.holds_secret(top)
            if hidden and not self.reads_secrets:
                return  # not read, so not wrong
        else:
            hidden, value = False, _ABSENT
        last = next((str(key) for key in reversed(place) if isinstance(key, str)), "")
        what = _message(detail, allowed.describe(schema, last), value)
        if detail["type"] in _WORDS_OF_OTHERS and any(secret in what for secret in self._secrets):
            what = f"not allowed; allowed is {allowed.describe(schema, last)}"
        if detail["type"] == "missing" and allowed.is_secret(schema):
            what += f", or the path of a file that holds it in {last}_file"
        self.problem((*keys, *place), what, value, hidden=hidden)

    # --- secrets and paths ----------------------------------------------------------------------

    def _take_secret(
        self,
        key: str,
        schema: allowed.Schema,
        kind: type[BaseModel],
        table: Mapping[str, Any],
        own: dict[str, Any],
        keys: Keys,
    ) -> None:
        twin = f"{key}_file"
        has_twin = allowed.is_secret(schema) and twin in table and twin in names_of(kind)
        if key in own and has_twin:
            self.problem((*keys, twin), f"given as well as {key}; allowed is one of the two")
        if not self.reads_secrets:
            own.pop(key, None)
            if key in allowed.schema_of(kind).get("required", ()):
                own[key] = _NOT_READ if allowed.is_secret(schema) else {}
            return
        self._remember(own.get(key))
        if has_twin and key not in own:
            text = self._secret_of_file(table[twin], (*keys, twin))
            # A problem has been noted where there is none; the table is not used then.
            own[key] = _NOT_READ if text is None else text
            self._remember(text)

    def _remember(self, value: object) -> None:
        if isinstance(value, Mapping):
            for inner in value.values():
                self._remember(inner)
        elif isinstance(value, str) and value:
            self._secrets.add(value)

    def _secret_of_file(self, value: object, keys: Keys) -> str | None:
        if not isinstance(value, str) or not value:
            self.problem(keys, f"wrong type, {type_name(value)}; allowed is the path of a file", value)
            return None
        try:
            with (self.base / value).open("rb") as handle:
                content = handle.read(SECRET_BYTES_MAX + 1)
            text = content.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            self.problem(keys, "is not UTF-8 text; allowed is a file that holds the secret alone", value)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            self.problem(keys, f"cannot be read: {reason}; allowed is a file that holds the secret", value)
        else:
            if len(content) > SECRET_BYTES_MAX:
                self.problem(keys, f"is larger than {SECRET_BYTES_MAX} bytes; no secret is that long", value)
            elif not text.strip():
                self.problem(keys, "is empty; allowed is a file that holds the secret", value)
            else:
                return text
        return None

    def _take_path(self, key: str, own: dict[str, Any], keys: Keys) -> None:
        written = own[key]
        own[key] = str(self.base / written)
        if key.endswith("_file") and self.reads_secrets:
            try:
                with Path(own[key]).open("rb"):
                    pass
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not a path"
                self.problem((*keys, key), f"cannot be read: {reason}; allowed is a file", written)


def names_of(kind: type[BaseModel]) -> frozenset[str]:
    """The keys that a model's table takes, ``_file`` twins of secrets included."""
    fields = allowed.fields_of(kind)
    return frozenset(fields) | {f"{key}_file" for key, schema in fields.items() if allowed.is_secret(schema)}


def has_secrets(kind: type[BaseModel]) -> bool:
    """Whether any key of the model is a secret."""
    return any(map(allowed.holds_secret, allowed.fields_of(kind).values()))


def type_name(value: object) -> str:
    """The type of a TOML value, in words."""
    return _TYPE_NAMES.get(type(value), "a date or time")


def _resolved(loc: tuple[int | str, ...], own: Mapping[str, Any], *, is_missing: bool) -> tuple[Keys, object]:
    """The part of an error's place that is in the table (tags of unions are not), and the value there."""
    place: Keys = ()
    value: Any = own
    for position, key in enumerate(loc):
        if _holds(value, key):
            value = value[key]
        elif is_missing and position == len(loc) - 1:
            return (*place, key), _ABSENT
        else:
            continue
        place += (key,)
    return place, value


def _holds(value: Any, key: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and key < len(value)
    return isinstance(value, Mapping) and key in value


def _message(detail: ErrorDetails, words: str, value: object) -> str:
    kind = detail["type"]
    if kind == "missing":
        return f"is required; allowed is {words}"
    if kind == "extra_forbidden":
        return "unknown key"
    if kind in _WORDS_OF_OTHERS:
        return detail["msg"].split(", ", 1)[-1]
    if kind.startswith(_OUT_OF_RANGE):
        return f"out of range; allowed is {words}"
    if kind.endswith("_type") or kind == "int_from_float":
        return f"wrong type, {type_name(value)}; allowed is {words}"
    if words == "another value":
        return detail["msg"]
    return f"not allowed; allowed is {words}"
