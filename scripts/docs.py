"""Check what the pages say against the program, and renew what they quote from it.

    python scripts/docs.py            check; exit status 1 and one line per problem
    python scripts/docs.py --write    renew the quotes first

Checked: relative links and their anchors, that TOML and JSON examples parse, that every command and
option in a shell example exists, that every page can be reached from README.md, and that quotes are
what the command prints today. A quote is a fenced block between two comments::

    <!-- quote: make help -->
    <!-- end quote -->
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND_TIMEOUT_S = 30
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.M | re.S)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(?P<text>.+?) *#*$", re.M)
QUOTE = re.compile(r"<!-- quote: (?P<command>.+?) -->\n(?P<body>.*?)<!-- end quote -->", re.S)
SHELLS = frozenset({"sh", "bash", "shell", "console"})


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file: where it is, and its text."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Its path from the top of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without its fenced examples and its code."""
        return re.sub(r"`[^`\n]*`", "", FENCE.sub("", self.text))

    def line_of(self, offset: int) -> int:
        """The line, from 1, of a place in the text."""
        return self.text.count("\n", 0, offset) + 1


def pages() -> list[Page]:
    """Every Markdown file of the repository, in name order."""
    found = [*ROOT.glob("*.md"), *(path for top in visible_folders() for path in top.rglob("*.md"))]
    return [Page(path, path.read_text(encoding="utf-8")) for path in sorted(found)]


def visible_folders() -> Iterator[Path]:
    """Top folders but the hidden ones: .venv, .git, caches."""
    return (path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))


# --- links ---------------------------------------------------------------------------------------


def anchor_of(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Every anchor of a page; repeated headings get a number."""
    seen: dict[str, int] = {}
    found = set()
    for match in HEADING.finditer(FENCE.sub("", text)):
        anchor = anchor_of(match["text"])
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        found.add(f"{anchor}-{count}" if count else anchor)
    return found


def local_targets(page: Page) -> Iterator[tuple[str, Path, str]]:
    """Link as written, the file it means, and its anchor."""
    for match in LINK.finditer(page.prose):
        target = match["target"]
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        yield target, (page.path.parent / path).resolve() if path else page.path, anchor


def broken_links(page: Page) -> Iterator[str]:
    """Relative links that lead nowhere."""
    for written, path, anchor in local_targets(page):
        if not path.is_relative_to(ROOT):
            yield f"{page.name}: link {written} leaves the repository"
        elif not path.exists():
            yield f"{page.name}: link {written} leads nowhere"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path.read_text(encoding="utf-8")):
            yield f"{page.name}: link {written}: no such heading there"


def unreachable(all_pages: list[Page]) -> Iterator[str]:
    """Pages under docs/ that no chain of links from README.md leads to."""
    by_path = {page.path: page for page in all_pages}
    todo = [ROOT / "README.md"]
    reached: set[Path] = set()
    while todo:
        path = todo.pop()
        if path in reached or path not in by_path:
            continue
        reached.add(path)
        todo.extend(target for _, target, _ in local_targets(by_path[path]))
    for page in all_pages:
        if page.path not in reached and page.path.is_relative_to(ROOT / "docs"):
            yield f"{page.name}: no chain of links leads here from README.md"


# --- examples ------------------------------------------------------------------------------------


def bad_examples(page: Page) -> Iterator[str]:
    """TOML and JSON that does not parse, commands and options that do not exist."""
    for match in FENCE.finditer(page.text):
        text = "\n".join(line.removeprefix(match["indent"]) for line in match["text"].splitlines())
        check = CHECKS.get(match["language"])
        for problem in check(text) if check else ():
            yield f"{page.name}:{page.line_of(match.start())}: {problem}"


def bad_toml(text: str) -> Iterator[str]:
    """Why the example is not TOML."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        yield f"not TOML: {error}"


def bad_json(text: str) -> Iterator[str]:
    """Why the example is neither one JSON value nor one on each line."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        try:
            for line in text.splitlines():
                json.loads(line)
        except json.JSONDecodeError:
            yield f"not JSON: {error}"


def bad_shell(text: str) -> Iterator[str]:
    """Commands of ours in the example that do not exist, and options that they do not take."""
    for line in text.replace("\\\n", " ").splitlines():
        try:
            words = shlex.split(line.removeprefix("$ "), comments=True)
        except ValueError:
            continue  # Half a quotation: a piece of a longer text, not a command.
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["make"]:
            yield from bad_make(words[1:])
        elif words[:1] == ["autoscaler"]:
            yield from bad_autoscaler(list(own_words(words[1:])))


def own_words(words: list[str]) -> Iterator[str]:
    """The words of one command: up to a pipe, a redirection or the next command."""
    for word in words:
        if re.match(r"[|;&<>]|\d>", word):
            return
        yield word.rstrip(";")
        if word.endswith(";"):
            return


def bad_make(words: list[str]) -> Iterator[str]:
    """Targets that the Makefile does not have."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for word in own_words(words):
        if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets:
            yield f"make has no target {word}"


def bad_autoscaler(words: list[str]) -> Iterator[str]:
    """A command, or options, that the program does not have."""
    command: tuple[str, ...] = ()
    text = program_help(command)
    for word in words:
        if "COMMAND [ARGS]" not in (text or "") or word.startswith("-"):
            break
        command = (*command, word)
        text = program_help(command)
    if text is None:
        yield f"there is no command: autoscaler {' '.join(command)}"
        return
    for word in words:
        option = word.partition("=")[0]
        if re.fullmatch(r"--[a-z][a-z-]*", option) and not re.search(rf"{option}(?![\w-])", text):
            yield f"autoscaler {' '.join(command)} has no option {option}"


@cache
def program_help(command: tuple[str, ...]) -> str | None:
    """What ``autoscaler COMMAND --help`` prints; None where there is no such command."""
    status, text = run(["autoscaler", *command, "--help"])
    return text if status == 0 else None


CHECKS: dict[str, Callable[[str], Iterator[str]]] = {
    "toml": bad_toml,
    "json": bad_json,
    "jsonl": bad_json,
    **dict.fromkeys(SHELLS, bad_shell),
}


# --- quotes --------------------------------------------------------------------------------------


def run(words: list[str]) -> tuple[int, str]:
    """Exit status and output of a program, ours before others, as a terminal of 100 columns shows it."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AUTOSCALER_", "MAKE"))},
        "PATH": bin_folder + os.pathsep + os.environ.get("PATH", ""),
        "COLUMNS": "100",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout


@cache
def quoted(command: str) -> str:
    """The fenced block that belongs between the comments of a quote."""
    words = shlex.split(command)
    if words[:1] not in (["make"], ["autoscaler"]):
        raise SystemExit(f"docs: a page may quote make and autoscaler, not {command!r}")
    status, text = run(words)
    if status:
        raise SystemExit(
            f"docs: {command!r}, which a page quotes, ended with status {status}: {text.strip()}"
        )
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"```text\n{lines}\n```\n"


def renewed(page: Page) -> str:
    """The page's text with all quotes as of now."""
    return QUOTE.sub(
        lambda match: f"<!-- quote: {match['command']} -->\n{quoted(match['command'])}<!-- end quote -->",
        page.text,
    )


def old_quotes(page: Page) -> Iterator[str]:
    """Quotes that are not what the command prints."""
    for match in QUOTE.finditer(page.text):
        if match["body"] != quoted(match["command"]):
            where = f"{page.name}:{page.line_of(match.start())}"
            yield f"{where}: the quote of '{match['command']}' is out of date; run 'make docs'"


# --- all -----------------------------------------------------------------------------------------


def problems(all_pages: list[Page]) -> Iterator[str]:
    """Everything that is wrong with the pages, a line each."""
    for page in all_pages:
        yield from broken_links(page)
        yield from bad_examples(page)
        yield from old_quotes(page)
    yield from unreachable(all_pages)


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments not in ([], ["--write"]):
        print("docs: the only option is --write", file=sys.stderr)
        return 2
    if arguments == ["--write"]:
        for page in pages():
            text = renewed(page)
            if text != page.text:
                page.path.write_text(text, encoding="utf-8")
                print(f"docs: renewed {page.name}")
    all_pages = pages()
    found = list(problems(all_pages))
    for problem in found:
        print(f"docs: {problem}", file=sys.stderr)
    print(f"docs: {len(all_pages)} pages, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
