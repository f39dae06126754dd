"""The files of the repository carry nothing of the machine that they were written on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.packaging.repository import ROOT, texts

# In pieces, or this file would be the one that breaks the rule.
REGISTRIES = tuple(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org")))
FOLDERS = tuple("/".join(("", *parts)) for parts in (("root", ""), ("home", ""), ("Users", ""), ("work", "")))


def mirrors_of_this_machine() -> set[str]:
    """Hosts that pip or uv are told to use here."""
    told = [value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_"))]
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    ).stdout
    urls = re.findall(r"https?://[^\s'\"\\]+", " ".join([*told, listed]))
    return {host for host in (urlsplit(url).hostname for url in urls) if host}


def test_no_file_names_a_registry_host() -> None:
    hosts = {*REGISTRIES, *mirrors_of_this_machine()} - {"127.0.0.1", "localhost"}

    assert [(name, host) for name, text in texts() for host in hosts if host in text] == []


def test_no_file_holds_a_path_of_this_machine() -> None:
    places = {f"{ROOT}/", f"{Path(sys.prefix)}/", *FOLDERS}
    pattern = re.compile("|".join(rf"(?<![\w.:/}}-]){re.escape(place)}" for place in places))

    assert [(name, match[0]) for name, text in texts() if (match := pattern.search(text))] == []


def test_the_licence_is_the_one_that_pyproject_names() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert text.rstrip().endswith("limitations under the License.")


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_the_pages_that_a_visitor_looks_for_are_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 200
