"""The checker of the pages finds what it should, and the pages pass it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts import docs
from tests.packaging.repository import ROOT


def a_page(text: str, name: str = "docs/a.md") -> docs.Page:
    return docs.Page(ROOT / name, text)


def test_the_pages_hold() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/docs.py"], capture_output=True, text=True, check=False, timeout=100
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("[a](nowhere.md)", "leads nowhere"),
        ("[a](../Makefile#help)", None),
        ("[a](../../outside.md)", "leaves the repository"),
        ("# Here\n[a](#there)", "leads nowhere|no such heading"),
        ("`[a](nowhere.md)`", None),
        ("```\n[a](nowhere.md)\n```\n", None),
        ("[a](https://example.com/x.md)", None),
    ],
)
def test_a_link_must_lead_somewhere(link: str, complaint: str | None) -> None:
    found = list(docs.broken_links(a_page(link)))

    assert bool(found) == (complaint is not None), found
    assert not complaint or any(words in found[0] for words in complaint.split("|"))


def test_anchors_are_those_of_the_headings() -> None:
    text = "# One: the `first` *thing*\n\n```sh\n# not a heading\n```\n## Twice\n## Twice\n"

    assert docs.anchors(text) == {"one-the-first-thing", "twice", "twice-1"}


@pytest.mark.parametrize(
    ("language", "example", "is_sound"),
    [
        ("toml", 'id = "..."', True),
        ("toml", "id = ...", False),
        ("json", '{"a": 1}', True),
        ("json", '{"a": 1}\n{"a": 2}', True),
        ("json", '{"a": 1,}', False),
        ("sh", "make help", True),
        ("sh", "$ CI=true make test ARGS=-x && make lint", True),
        ("sh", "make coffee", False),
        ("text", "make coffee", True),
    ],
)
def test_an_example_must_be_usable(language: str, example: str, is_sound: bool) -> None:
    found = list(docs.bad_examples(a_page(f"Text.\n\n```{language}\n{example}\n```\n")))

    assert (found == []) == is_sound, found


def test_a_quote_that_the_program_no_longer_prints_is_found_and_renewed() -> None:
    page = a_page("<!-- quote: make help -->\n```text\nmake coffee\n```\n<!-- end quote -->\n")

    assert [problem for problem in docs.old_quotes(page) if "out of date" in problem]
    fresh = a_page(docs.renewed(page))
    assert "make test" in fresh.text
    assert list(docs.old_quotes(fresh)) == []


def test_a_page_that_nothing_leads_to_is_named() -> None:
    readme = a_page("[a](docs/a.md)", "README.md")
    pages = [readme, a_page("[b](b.md)"), a_page("", "docs/b.md"), a_page("", "docs/lost.md")]

    assert [problem.split(":")[0] for problem in docs.unreachable(pages)] == ["docs/lost.md"]


def test_a_page_may_not_quote_any_program() -> None:
    with pytest.raises(SystemExit, match="may quote make and autoscaler"):
        docs.quoted("rm -rf x")


def test_the_checker_reads_every_page() -> None:
    names = {page.name for page in docs.pages()}

    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= names
    assert not any(name.startswith(".venv") for name in names)
