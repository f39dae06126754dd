"""From a file, the environment and secret files to one :class:`Config`, or to every problem at once.

Nothing but reading happens here, so the daemon calls it again on SIGHUP and keeps the old one on error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from autoscaler.config.advice import advise, advise_http, advise_prices
from autoscaler.config.assembly import fleet_of, queries_of, refs_of, shadows_of
from autoscaler.config.borrowing import Lenders, filled, lent
from autoscaler.config.checks import check_prices, check_services
from autoscaler.config.document import Document, Keys, read_document
from autoscaler.config.drafts import Known, ServiceDraft, check_name, read_service, refer
from autoscaler.config.environment import Overlay, layered, overlay
from autoscaler.config.fingerprint import fingerprint
from autoscaler.config.gpus import gpus_of
from autoscaler.config.kinds import Kinds, installed
from autoscaler.config.models import (
    BudgetSettings,
    DaemonSettings,
    HttpSettings,
    PriceSettings,
    ServiceSettings,
)
from autoscaler.config.names import SECTIONS, names_for
from autoscaler.config.policy_files import PolicyFolder, read_policies
from autoscaler.config.problems import ConfigError, Problem, listed, nearest, unknown
from autoscaler.config.reader import ENVIRONMENT, Reader
from autoscaler.config.result import Config

_Complete = Callable[[str, dict[str, Any], Keys], dict[str, Any]]
"""From the word of a table's kind, the table and its place to the table as it is read."""

S = TypeVar("S", bound=BaseModel)
S_co = TypeVar("S_co", bound=BaseModel, covariant=True)


def load(path: str | Path, environ: Mapping[str, str] | None = None, kinds: Kinds | None = None) -> Config:
    """Read everything. ``environ`` None is the process's; ``kinds`` None is what is installed.

    Raises: ConfigError with all problems.
    """
    return _Loader(Path(path), environ, kinds, reads_secrets=True).config()


def load_for_decide(
    path: str | Path, environ: Mapping[str, str] | None = None, kinds: Kinds | None = None
) -> Config:
    """As :func:`load`, for decisions alone: secrets are neither required nor read, and nobody can be called.

    Raises: ConfigError with all problems.
    """
    return _Loader(Path(path), environ, kinds, reads_secrets=False).config()


class _Kind(Protocol[S_co]):
    """A kind of provider or of source."""

    @property
    def settings(self) -> type[S_co]:
        """The model of its table."""
        ...


class _Loader:
    """One reading, step by step; each step goes on with what the earlier ones could make sense of."""

    def __init__(
        self, path: Path, environ: Mapping[str, str] | None, kinds: Kinds | None, *, reads_secrets: bool
    ) -> None:
        self.path = path
        self.kinds = installed() if kinds is None else kinds
        self.document: Document = read_document(path)
        base = path.absolute().parent
        sections, misshapen = _sections(self.document)
        added = self._environment(sections, os.environ if environ is None else environ)
        self.tables = layered(sections, added.table)
        self.reader = Reader(self.document, added.names, base, reads_secrets=reads_secrets)
        self.reader.adopt((*misshapen, *added.problems))
        self.base = base

    def _environment(self, sections: Mapping[str, Any], environ: Mapping[str, str]) -> Overlay:
        return overlay(environ, names_for(sections, environ, self.kinds), SECTIONS)

    def config(self) -> Config:
        """Everything, or ConfigError."""
        reader = self.reader
        daemon = reader.model(DaemonSettings, self._table("daemon"), ("daemon",))
        http = reader.model(HttpSettings, self._table("http"), ("http",))
        budget = reader.model(BudgetSettings, self._table("budget"), ("budget",))
        providers, provider_kinds = self._adapters("providers", self.kinds.providers)
        borrowing = self._borrowing(Lenders(providers, provider_kinds))
        sources, source_kinds = self._adapters("sources", self.kinds.sources, borrowing)
        policies = self._policies(daemon)
        known = Known(self.kinds, policies, provider_kinds, source_kinds)
        prices = self._prices(known)
        services = self._services(known)
        usd_per_hour = budget.usd_per_hour if budget is not None else None
        check_services(reader, services, prices, usd_per_hour)
        if reader.problems_count:
            raise ConfigError(sorted(reader.problems, key=self._order))
        assert daemon is not None
        assert http is not None
        advise(reader, services, providers, sources, lent(sources.values()))
        advise_prices(reader, services, prices)
        advise_http(reader, http)
        modes = {service.name: service.settings.mode or daemon.mode for service in services}
        name = fingerprint(
            daemon={"interval_s": daemon.interval_s, "mode": daemon.mode},
            budget_usd_per_hour=usd_per_hour,
            prices=prices,
            providers=providers,
            sources=sources,
            services=services,
        )
        return Config(
            path=self.path.absolute(),
            daemon=self._absolute(daemon),
            http=http,
            fleet=fleet_of(services, modes, prices, daemon.interval_s, usd_per_hour, name),
            providers=MappingProxyType(providers if reader.reads_secrets else {}),
            refs=refs_of(services, providers),
            sources=MappingProxyType(sources if reader.reads_secrets else {}),
            queries=queries_of(services, sources),
            modes=MappingProxyType(modes),
            gpus=gpus_of(services, prices),
            labels=MappingProxyType({service.name: service.settings.labels for service in services}),
            shadows=shadows_of(services, modes, prices, daemon.interval_s),
            warnings=reader.warnings,
        )

    def _order(self, problem: Problem) -> tuple[int, str, int]:
        """The file's own problems from its top to its end, the environment's, then the policy files'."""
        places = (self.document.file, ENVIRONMENT)
        rank = places.index(problem.file) if problem.file in places else len(places)
        return rank, problem.file, problem.line or 0

    # --- steps ----------------------------------------------------------------------------------

    def _table(self, section: str) -> dict[str, Any]:
        table: dict[str, Any] = self.tables.get(section, {})
        return table

    def _absolute(self, daemon: DaemonSettings) -> DaemonSettings:
        journal = f"sqlite:{self.base / daemon.journal_path}"
        return daemon.model_copy(update={"journal": journal, "policy_dir": self.base / daemon.policy_dir})

    def _adapters(
        self,
        section: str,
        known: Mapping[str, _Kind[S]],
        complete: _Complete = lambda _word, table, _keys: table,
    ) -> tuple[dict[str, S], dict[str, str | None]]:
        """Settings by name, as far as they are right, and the word of each table's kind.

        ``complete`` fills in what tables take from others.
        """
        settings: dict[str, S] = {}
        words: dict[str, str | None] = {}
        for name, value in self._table(section).items():
            keys: Keys = (section, name)
            check_name(self.reader, name, keys)
            table = self.reader.table(value, keys)
            words[name] = self._kind(table, keys, known)
            if (word := words[name]) is not None:
                model = self.reader.model(known[word].settings, complete(word, table, keys), keys)
                if model is not None:
                    settings[name] = model
        return settings, words

    def _borrowing(self, lenders: Lenders) -> _Complete:
        """How a source's table is filled in from these providers' tables."""

        def complete(word: str, table: dict[str, Any], keys: Keys) -> dict[str, Any]:
            borrows = self.kinds.sources[word].borrows
            return table if borrows is None else filled(self.reader, table, keys, borrows, lenders)

        return complete

    def _kind(self, table: Mapping[str, Any], keys: Keys, known: Mapping[str, Any]) -> str | None:
        word = table.get("kind")
        if isinstance(word, str) and word in known:
            return word
        place = (*keys, "kind")
        if word is None:
            self.reader.problem(place, f"is required; allowed is {listed(known)}")
        else:
            meant = nearest(word, known) if isinstance(word, str) else None
            hint = f"; did you mean {meant}?" if meant else ""
            self.reader.problem(place, f"unknown kind; allowed is {listed(known)}{hint}", word)
        return None

    def _policies(self, daemon: DaemonSettings | None) -> PolicyFolder | None:
        written = (
            daemon.policy_dir if daemon is not None else self._table("daemon").get("policy_dir", "policies")
        )
        if not isinstance(written, str | Path):
            return None  # Told by the daemon's own model.
        folder = self.base / written
        if not folder.exists() and "policy_dir" not in self._table("daemon") and not self._names_policies():
            return PolicyFolder(folder, frozenset(), {}, ())
        try:
            found = read_policies(folder, self.kinds.policies)
        except ConfigError as error:
            reason = error.problems[0].message
            self.reader.problem(
                ("daemon", "policy_dir"),
                f"{folder} {reason}; allowed is a folder of policy files",
                str(self._table("daemon").get("policy_dir", written)),
            )
            return None
        self.reader.adopt(found.problems)
        return found

    def _names_policies(self) -> bool:
        tables = (self._table("defaults"), *self._table("services").values())
        return any(isinstance(table, Mapping) and table.get("policies") for table in tables)

    def _prices(self, known: Known) -> list[PriceSettings]:
        read: list[tuple[Keys, PriceSettings]] = []
        for keys, table in self.reader.tables(self.tables.get("prices", []), ("prices",)):
            refer(self.reader, table.get("provider"), (*keys, "provider"), known.providers, "provider")
            price = self.reader.model(PriceSettings, table, keys)
            if price is not None:
                read.append((keys, price))
        check_prices(self.reader, read)
        return [price for _, price in read]

    def _services(self, known: Known) -> list[ServiceDraft]:
        defaults = self._table("defaults")
        if "deployments" in defaults:
            self.reader.problem(
                ("defaults", "deployments"),
                "deployments belong to one service; allowed is any other key of a service",
            )
        self._judge_defaults(defaults)
        tables = self._table("services")
        if not tables:
            self.reader.problem(("services",), "is required; allowed is at least one [services.NAME] table")
        found = []
        for name in sorted(tables):
            table = self.reader.table(tables[name], ("services", name))
            found.append(read_service(self.reader, name, table, defaults, known))
        return found

    def _judge_defaults(self, defaults: Mapping[str, Any]) -> None:
        """Also where no service is left to inherit what is wrong."""
        without = {key: value for key, value in defaults.items() if key != "deployments"}
        self.reader.model(ServiceSettings, {"policies": [], **without}, ("defaults",))


def _sections(document: Document) -> tuple[dict[str, Any], list[Problem]]:
    """The sections that have the right shape, and what is wrong with the others."""
    found: dict[str, Any] = {}
    problems = []
    for key, value in document.table.items():
        place: Keys = (key,)
        if key not in SECTIONS:
            message, text = unknown(key, SECTIONS), None
        elif isinstance(value, list if key == "prices" else Mapping):
            found[key] = value
            continue
        else:
            allowed_here = "an array of tables, [[prices]]" if key == "prices" else f"a table, [{key}]"
            message, text = f"wrong type; allowed is {allowed_here}", None
        problems.append(Problem(document.file, key, text, message, document.line_of(place)))
    return found, problems
