"""``python -m scripts.mutants``: judge a sample of the mutants of the core and the policies.

Results are kept, one a line, in FOLDER/results.jsonl: a run that was cut short goes on where it was. Exit
status 1 while the score is below the goal, 2 while mutants of the sample are left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic  # noqa: TID251 - to tell how long it takes
from typing import Any

from scripts.mutants.contexts import Contexts, observe
from scripts.mutants.population import Mutant, population, sample
from scripts.mutants.score import wilson
from scripts.mutants.trial import judge
from tests.planted.tree import Copy

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("autoscaler/core", "autoscaler/policies")
TESTS = ("tests/core", "tests/policies", "tests/adversarial")
GOAL = 0.85
COUNT = 300
SEED = 20_261_130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as told; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "mutants", help="where results are kept"
    )
    parser.add_argument("--count", type=int, default=COUNT, help=f"mutants in the sample ({COUNT})")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the sample ({SEED})")
    parser.add_argument("--retry", action="store_true", help="judge survivors anew, after tests were added")
    parser.add_argument("--report", action="store_true", help="only tell what is known")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    results = _Results(options.folder / "results.jsonl")
    with tempfile.TemporaryDirectory(prefix="mutants-") as place:
        copy = Copy.of(ROOT, Path(place) / "copy")
        chosen = _chosen(copy, options.folder / "sample.json", options.count, options.seed)
        if not options.report:
            _judge_all(chosen, copy, results, options.folder / "contexts.json", retry=options.retry)
        return _tell(chosen, copy, results)


def _chosen(copy: Copy, file: Path, count: int, seed: int) -> tuple[Mutant, ...]:
    """The sample. It is kept, because to find all mutants takes a minute or two."""
    code = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((copy.root / package).rglob("*.py")):
            code.update(path.read_bytes())
    of = [code.hexdigest(), count, seed]
    if file.exists() and (kept := json.loads(file.read_text(encoding="utf-8")))["of"] == of:
        return tuple(Mutant(**one) for one in kept["mutants"])
    print("all mutants ...", flush=True)
    everything = population(copy.root, PACKAGES)
    chosen = sample(everything, count, seed, copy.root)
    print(f"{len(chosen)} of {len(everything)} are the sample", flush=True)
    file.write_text(json.dumps({"of": of, "mutants": [asdict(one) for one in chosen]}), encoding="utf-8")
    return chosen


class _Results:
    """What is known of each mutant, by its key and the text of its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                one = json.loads(line)
                self._known[one["key"]] = one

    def of(self, mutant: Mutant) -> dict[str, Any] | None:
        return self._known.get(mutant.key)

    def add(self, mutant: Mutant, facts: dict[str, Any]) -> None:
        one = {"key": mutant.key, **asdict(mutant), **facts}
        self._known[mutant.key] = one
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")


def _judge_all(
    chosen: Sequence[Mutant], copy: Copy, results: _Results, contexts_file: Path, *, retry: bool
) -> None:
    todo = []
    for mutant in chosen:
        known = results.of(mutant)
        if known is None or (retry and not known["by"]):
            todo.append(mutant)
    if not todo:
        return
    if contexts_file.exists() and not retry:
        contexts = Contexts.read(contexts_file)
    else:
        print("which tests execute which line ...", flush=True)
        contexts = observe(copy, PACKAGES, TESTS)
        contexts.save(contexts_file)
    began = monotonic()
    for done, mutant in enumerate(todo, start=1):
        started = monotonic()
        verdict = judge(mutant, copy, contexts)
        took_s = round(monotonic() - started, 1)
        results.add(mutant, {"by": verdict.by, "tests": verdict.tests, "took_s": took_s})
        left_s = (monotonic() - began) / done * (len(todo) - done)
        what = f"killed by {verdict.by}" if verdict.by else "SURVIVED"
        print(f"{done:3}/{len(todo)}  {what}  {mutant.key}  ({left_s:.0f} s left)", flush=True)


def _tell(chosen: Sequence[Mutant], copy: Copy, results: _Results) -> int:
    """Survivors with their change, and the score."""
    known = [(mutant, one) for mutant in chosen if (one := results.of(mutant)) is not None]
    for mutant, one in sorted(known, key=lambda pair: pair[0]):
        if not one["by"]:
            print(f"\n{mutant.file}:{mutant.line} {mutant.operator.partition('/')[2]} ({one['tests']} tests)")
            print(mutant.diff((copy.root / mutant.file).read_text(encoding="utf-8")))
    if not known:
        print("nothing is known yet")
        return 2
    killed = sum(bool(one["by"]) for _, one in known)
    low, high = wilson(killed, len(known))
    print(
        f"\n{killed} of {len(known)} mutants killed: {killed / len(known):.1%}, "
        f"95 % interval {low:.1%} to {high:.1%}; {len(chosen) - len(known)} of the sample are left"
    )
    if len(known) < len(chosen):
        return 2
    return 0 if killed / len(known) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
