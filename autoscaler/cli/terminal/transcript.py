"""The answer to "why" as a text that a colleague understands: a mapping in, a text out, nothing else.

The mapping is what ``GET /v1/services/{service}/why`` answers; what it does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from autoscaler.cli.terminal.times import clock_text
from autoscaler.durations import spoken

Facts = Mapping[str, Any]

NO_CEILING_FROM: Final = 1_000_000  # more than any configuration allows

MEANING: Final[Mapping[str, str]] = {
    "hold": "what is set is what is needed",
    "baseline": "no policy measures demand, so baseline_replicas holds",
    "blind": "demand is not known, so nothing is given back for lack of it",
    "fallback": "demand has not been known for long, so fallback_replicas holds",
    "stabilised": "more was needed a moment ago; it waits for the end of the window",
    "moving": "replicas change place because that pays, new ones first",
    "step": "a limit on how much may change at a time",
    "cooldown": "too soon after the last change",
    "bounds": "min_replicas or max_replicas",
    "floor_over_budget": "a floor, which goes before the budget",
    "budget": "the budget",
    "changing": "the vendor still applies the last change",
    "drift": "somebody else changed the replicas, so hands off for a while",
    "override": "a person's override",
    "paused": "a person's pause",
    "stale": "things had changed since they were looked at",
    "overdue": "replicas that were asked for do not come",
    "reassert": "the same count is asked for again, because replicas are overdue",
    "no_capacity": "the vendor has no GPU free",
    "provider_error": "the vendor could not be read, or refuses",
    "no_wake_signal": "no signal could tell that it is needed again, so the last replica stays",
    "clock": "the clock was set back, so nothing is given back for a while",
    "brake": "demand of most services fell to zero at once, which is rather a fault than the truth",
}
"""Reason codes in words; any other code is the kind of the policy that set the number."""

_OF_KIND: Final[Mapping[str, str]] = {"gpu_price": "its GPU type is dear, and capped by this policy"}
"""Kinds of policy that bind a number by something else than the largest want."""


def render(why: Facts) -> str:
    """The whole transcript, without a newline at its end."""
    parts = [_head(why), _decisions(why)]
    if why.get("thinned"):
        parts.append(
            "This is over 7 days old: decisions that said something new are kept, not the facts behind them."
        )
    evidence = why.get("evidence") or {}
    parts += [
        _section("Facts", [*_signals(why), *_deployments(why, evidence)]),
        _section("What the policies say", [*_opinions(evidence), *_silent(why)]),
        _section("Need", _need(why, evidence)),
        _section("Limits", _limits(why, evidence)),
        _section("Guards", _guards(evidence)),
        _section("What would have changed it", _counterfactuals(why)),
    ]
    return "\n\n".join(part for part in parts if part)


def _section(title: str, lines: Iterable[str]) -> str:
    text = "\n".join(f"  {line}" for line in lines)
    return f"{title}\n{text}" if text else ""


def _head(why: Facts) -> str:
    text = f"{why['service']} at {clock_text(str(why['at']))}"
    if why.get("mode") == "observe":
        text += " (mode observe: decided, not sent)"
    return text


# --- what was decided ---------------------------------------------------------------------------


def _decisions(why: Facts) -> str:
    lines = []
    for one in why.get("decisions", ()):
        since = f" since {clock_text(str(one['at']))}" if "at" in one else ""
        lines.append(f"{one['deployment']}: {_change(one)}{since}, because {_because(one['reason'])}")
        lines.append(f"  {one['why']}")
    return _section("Decision", lines or ["none"])


def _change(one: Facts) -> str:
    old, new = one["replicas_from"], one["replicas_to"]
    if new is None or old is None:
        return "no decision"
    text = f"stays at {_count(new)}" if old == new else f"{old} -> {_count(new)}"
    if "range_from" in one and "range_to" in one:
        low, high = one["range_from"], one["range_to"]
        text += f" (range {low[0]}-{low[1]} -> {high[0]}-{high[1]})"
    return text


def _because(reason: str) -> str:
    meaning = MEANING.get(reason) or _OF_KIND.get(reason, "the policy that asked for the most")
    return f"{reason} ({meaning})"


def _count(count: int) -> str:
    return f"{count} replica{'' if count == 1 else 's'}"


# --- facts --------------------------------------------------------------------------------------


def _signals(why: Facts) -> Iterator[str]:
    limits = (why.get("settings") or {}).get("max_age_s", {})
    signals: Facts = why.get("signals") or {}
    width = max((len(name) for name in signals), default=0)
    for name, reading in sorted(signals.items()):
        label = f"{name}:".ljust(width + 1)
        if "absent" in reading or reading.get("value") is None:
            detail = f" ({reading['detail']})" if reading.get("detail") else ""
            yield f"{label} not known: {reading.get('absent', 'missing')}{detail}"
            continue
        age_s = _seconds_between(str(reading["at"]), str(why["at"]))
        limit_s = limits.get(name)
        stale = (
            f", stale: at most {spoken(limit_s)} is fresh" if limit_s is not None and age_s > limit_s else ""
        )
        yield f"{label} {reading['value']:g} ({spoken(max(0.0, age_s))} old{stale})"


def _deployments(why: Facts, evidence: Facts) -> Iterator[str]:
    sites: Facts = evidence.get("deployments") or {}
    for key, seen in sorted((why.get("deployments") or {}).items()):
        name = str(key).partition("/")[2]
        site: Facts = sites.get(name) or {}
        yield f"{name}: {', '.join(_seen(seen, site))}"
        if prices := ", ".join(_price(seen, site)):
            yield f"  {prices}"
        if site.get("start_up_p90_s") is not None:
            half, most = spoken(site["start_up_p50_s"]), spoken(site["start_up_p90_s"])
            yield f"  start-up takes {half}" + (f", in 9 of 10 cases up to {most}" if most != half else "")
        yield from (f"  | {line}" for line in seen.get("evidence", ()))


def _seen(seen: Facts, site: Facts) -> Iterator[str]:
    if seen.get("error"):
        yield f"could not be read ({seen['error']})"
        if site.get("replicas_set") is not None:
            yield f"last known {_count(site['replicas_set'])} set"
    else:
        if "range" in seen:
            yield f"{seen['range'][0]} to {seen['range'][1]} replicas set"
        elif "replicas_set" in seen:
            yield f"{_count(seen['replicas_set'])} set"
        ready = seen.get("replicas_ready")
        yield "ready not known" if ready is None else f"{ready} ready"
        if site.get("replicas_starting"):
            overdue = f", {site['replicas_overdue']} of them overdue" if site.get("replicas_overdue") else ""
            yield f"{site['replicas_starting']} starting{overdue}"
        if seen.get("phase", "ready") != "ready":
            yield str(seen["phase"])
    if seen.get("available") is False:
        yield "no GPU of its type free at the vendor"


def _price(seen: Facts, site: Facts) -> Iterator[str]:
    if not site:
        return
    price = site.get("price_usd_per_gpu_hour")
    if price is None:
        yield "price not known"
        return
    age_s = site.get("price_age_s")
    age = f", {spoken(age_s)} old" if age_s else ""
    gpus = seen.get("gpus_per_replica") or 1
    yield f"{price:.2f} USD per GPU-hour{age}, {_gpus(gpus, seen.get('gpu_type'))} per replica"


def _gpus(gpus: int, gpu_type: str | None) -> str:
    return f"{gpus} {gpu_type or 'GPU'}"


# --- opinions, need, limits, guards -------------------------------------------------------------


def _opinions(evidence: Facts) -> Iterator[str]:
    for one in evidence.get("opinions", ()):
        whom = f" of {one['deployment']}" if one.get("deployment") else ""
        yield f"{one['policy']}: {', '.join(_wishes(one, whom))}: {one['reason']}"


def _silent(why: Facts) -> Iterator[str]:
    for name in why.get("silent", ()):
        placing = "; it has a say in where replicas go" if name in why.get("preferring", ()) else ""
        yield f"{name}: said nothing{placing}"


def _wishes(one: Facts, whom: str) -> Iterator[str]:
    said = False
    if one.get("want") is not None:
        said = True
        yield f"wants capacity {one['want']:g}"
    for key, words in (("at_least", "at least"), ("at_most", "at most")):
        if one.get(key) is not None:
            said = True
            yield f"{words} {_count(one[key])}{whom}"
    if one.get("blind"):
        said = True
        yield "is blind"
    if not said:
        yield f"asks for nothing{whom}"


def _need(why: Facts, evidence: Facts) -> Iterator[str]:
    if not evidence:
        return
    demand, want, need = evidence.get("demand"), evidence.get("want"), evidence.get("need")
    yield f"demand now: {_amount(demand)}; want now: {_amount(want)}"
    window_s = (why.get("settings") or {}).get("stabilise_down_s")
    window = f", the largest want of the last {spoken(window_s)}" if window_s else ""
    reason = str(evidence.get("need_reason", ""))
    if evidence.get("blind") or reason in MEANING:
        window = f" ({MEANING.get(reason, reason)})"
    yield f"need: {_amount(need)}{window}"
    if evidence.get("blind"):
        yield "blind: a demand signal is missing or stale"
    if why.get("brake"):
        yield f"fleet brake: {MEANING['brake']}"
    yield from (str(note) for note in evidence.get("notes", ()))


def _amount(value: float | None) -> str:
    return "not known" if value is None else f"capacity {value:g}"


def _limits(why: Facts, evidence: Facts) -> Iterator[str]:
    if not evidence:
        return
    yield f"service: {_between(evidence)}"
    sites: Facts = evidence.get("deployments") or {}
    sizes = (why.get("settings") or {}).get("capacity_per_replica", {})
    if len(sites) > 1 or sizes:
        for name, site in sorted(sites.items()):
            size = f" of capacity {sizes[name]:g} each" if name in sizes else ""
            obstacle = f"; in the way: {site['obstacle']}" if site.get("obstacle") else ""
            yield f"{name}: {_between(site)}{size}{obstacle}"
    if evidence.get("paused"):
        yield f"paused: {'decreases' if evidence['paused'] == 'down' else 'nothing is written'}"
    if evidence.get("overridden"):
        yield "an override by a person is in force"
    budget = (why.get("settings") or {}).get("budget_usd_per_hour")
    cost = evidence.get("usd_per_hour")
    spent = "not known" if cost is None else f"{cost:.2f} USD/h"
    yield f"cost of what is there: {spent}" + (f", budget {budget:.2f}" if budget is not None else "")


def _between(limits: Facts) -> str:
    low, high = limits.get("floor", 0), limits.get("ceiling")
    if high is None or high >= NO_CEILING_FROM:
        return f"{low} replicas or more"
    return f"{low} to {_count(high)}" if low != high else f"exactly {_count(low)}"


def _guards(evidence: Facts) -> Iterator[str]:
    held = False
    for name, site in sorted((evidence.get("deployments") or {}).items()):
        for step in site.get("steps", ()):
            held = True
            before, after = step["before"], step["after"]
            change = "kept" if before == after else f"made {before} into"
            yield f"{name}: {step['rule']} {change} {after}: {step['text']}"
    if evidence and not held:
        yield "none held anything back"


def _counterfactuals(why: Facts) -> Iterator[str]:
    for one in why.get("counterfactuals", ()):
        count, _, rest = str(one["text"]).partition(" ")
        reason = f" ({one['reason']})" if one.get("reason") else ""
        yield f"{_count(int(count))} {rest}{reason}" if count.isdigit() else f"{one['text']}{reason}"
    yield from (str(text) for text in why.get("unsaid", ()))


def _seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
