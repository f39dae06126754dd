"""The reference page, made from the models: ``python -m autoscaler.config.reference``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from autoscaler.config import allowed
from autoscaler.config.models import (
    BudgetSettings,
    DaemonSettings,
    DeploymentSettings,
    HttpSettings,
    PriceSettings,
    ServiceSettings,
    SignalSettings,
)
from autoscaler.providers import PROVIDERS
from autoscaler.sources import SOURCES

_HEAD: Final = """\
# Configuration

<!-- Made by python -m autoscaler.config.reference > docs/configuration.md; do not edit. -->

One TOML file, given by `--config FILE` or `AUTOSCALER_CONFIG`. A commented example with every key is
[config.example.toml](../config.example.toml). `autoscaler check` reads it as the daemon would and prints
everything that is wrong, each on a line of its own:

```text
config.toml:3: daemon.interval_s = 0: out of range; allowed is a number of seconds from 1 to 3600
```

Any problem ends every command with exit status 2 before anything is sent. A running daemon reads the file
again on SIGHUP and keeps the old configuration where the new one has a problem.

## Rules for all tables

- **Paths** are relative to the folder of the configuration file.
- **Names** of providers, sources, services, deployments and policies match `[a-z][a-z0-9-]*`; names of
  signals may have `_` as well. At most 64 characters.
- **Types are strict**: `15` is a number and `"15"` is not. Unknown keys are errors.
- **Secrets** are never shown. Each has a twin that ends in `_file`, the path of a file that holds it (Docker
  and Kubernetes secrets); line ends at its end are dropped. Both at once is an error, and so is an
  empty file.
- **Environment**: `AUTOSCALER_` and the path of a key, joined by `__`, in capitals, with `-` as `_`, goes
  before the file: `AUTOSCALER_PROVIDERS__EXO__API_SECRET`,
  `AUTOSCALER_SERVICES__CHAT__SIGNALS__QUEUED__MAX_AGE_S`. Numbers and `true`/`false` are written as in TOML,
  lists and tables as JSON. Names with `__` after a section are checked strictly: a mistyped one is an
  error. A provider or source that is not in the file exists where its `KIND` is given. Arrays of tables
  (`[[prices]]`, `[[services.NAME.deployments]]`) come from the file only.

Units are in the keys' names: `_s` is seconds, `usd` is US dollars. In the tables, *required* means that the
key has no default, and `-` that it is off when it is left out.
"""

_PRICES: Final = """\
`min_replicas` that cost more than a budget are an error as far as the file tells their price: that of the
deployment's `gpu_type`, or else the provider's only one in `[[prices]]`, times `gpus_per_replica`.
"""

_DEFAULTS: Final = """\
## [defaults]

Any key of a service but `deployments`, for all services. A service's own key wins; `labels` and `signals`
are put together key by key, but a signal that names its own `source` takes nothing from here.
"""

_POLICIES: Final = """\
## Policy files

Every `*.toml` in `policy_dir` is a policy, named by its file stem. `kind` picks the rule; the other keys are
the rule's own, and each ready-made file explains them. A file that cannot be used is an error, also where no
service names it. A service names each policy once. `signals` must define what its policies read.

```toml
[services.chat]
policies = ["tokens-waiting", { name = "queue-depth", target_utilisation = 0.6 }]
```
"""

_HASH: Final = """\
## The configuration's hash

Journals and exports name the configuration by 12 hex digits: SHA-256 over all settings in force and the
policies. Secrets, paths, `[http]` and what `[daemon]` says about the process are left out, so the same file
has the same hash on every machine. The order of tables does not matter, nor whether a default is written out.
"""


def reference() -> str:
    """The whole page."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield _HEAD
    yield from _section("[daemon]", DaemonSettings)
    yield from _section("[http]", HttpSettings)
    yield from _section("[budget]", BudgetSettings)
    for kind, provider in sorted(PROVIDERS.items()):
        yield from _section(f"[providers.NAME] of kind {kind}", provider.settings, kind)
    for kind, source in sorted(SOURCES.items()):
        yield from _section(f"[sources.NAME] of kind {kind}", source.settings, kind)
    yield from _section("[[prices]]", PriceSettings)
    yield _PRICES
    yield _DEFAULTS
    yield from _section("[services.NAME]", ServiceSettings)
    yield from _section("signals.NAME of a service", SignalSettings)
    for kind, source in sorted(SOURCES.items()):
        yield from _more(f"Besides, where the source is of kind {kind}", source.signal_options)
    yield from _section("[[services.NAME.deployments]]", DeploymentSettings)
    for kind, provider in sorted(PROVIDERS.items()):
        yield from _more(f"Besides, where the provider is of kind {kind}", provider.ids)
    yield _POLICIES
    yield _HASH.rstrip("\n") + "\n"


def _section(title: str, model: type[BaseModel], kind: str | None = None) -> Iterator[str]:
    yield f"## {title}\n"
    yield _table(model, kind)


def _more(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"### {title}\n"
    yield _table(model, None) if allowed.fields_of(model) else "No further keys.\n"


def _table(model: type[BaseModel], kind: str | None) -> str:
    required = {*allowed.schema_of(model).get("required", ()), "deployments"} | ({"kind"} if kind else set())
    lines = ["| key | allowed | unit | default | what for |", "|---|---|---|---|---|"]
    fields = allowed.fields_of(model)
    for key in sorted(fields, key=lambda key: key != "kind"):
        schema = fields[key]
        words = json.dumps(kind) if key == "kind" else allowed.describe(schema)
        if allowed.is_secret(schema):
            words += f"; secret, or `{key}_file`"
        default = "*required*" if key in required else _default(schema)
        cells = (f"`{key}`", words, allowed.unit_of(key), default, schema.get("description", ""))
        lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        types = allowed.types_of(schema)
        # A default that is made, not stored: empty tables and lists.
        return "`{}`" if types == {"object"} else "`[]`" if types == {"array"} else "-"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return f"`{json.dumps(default)}`"


def main() -> None:
    """Print the page, or write it to the file that is given."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())


if __name__ == "__main__":
    main()
