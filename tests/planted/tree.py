"""A private copy of the repository, to plant a bug in and to take it out again."""

from __future__ import annotations

import compileall
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Final

from tests.planted.catalogue import Bug

_NOT_COPIED: Final = (
    ".git",
    ".venv",
    "__pycache__",
    "*_cache",
    ".hypothesis",
    ".demo",
    "build",
    "dist",
    "*.db*",
)
_CODE: Final = ("autoscaler", "tests")


class Copy:
    """A copy of the repository at ``root``.

    Python takes byte code by the size and the second of its source, which a bug may leave as they are.
    So the copy's byte code is compiled in advance, to be taken by the source's hash, and no run writes any.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._whole = self._fingerprint()

    @classmethod
    def of(cls, original: Path, place: Path) -> Copy:
        """Copy ``original`` to ``place``, which must not exist yet."""
        shutil.copytree(original, place, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        for folder in _CODE:
            compileall.compile_dir(
                place / folder, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH
            )
        return cls(place)

    def again(self, place: Path) -> Copy:
        """The same once more, byte code and all."""
        shutil.copytree(self.root, place)
        return Copy(place)

    def with_bug(self, bug: Bug) -> AbstractContextManager[None]:
        """The bug is in the copy inside the block. Raises: ValueError where it does not apply any more."""
        return self.with_text(bug.file, bug.planted((self.root / bug.file).read_text(encoding="utf-8")))

    @contextmanager
    def with_text(self, file: str, text: str) -> Iterator[None]:
        """The file has this text inside the block; after it the copy is, verified, what it was before."""
        path = self.root / file
        whole = path.read_bytes()
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(whole)
            # What hypothesis learned from one change is no test of the next.
            shutil.rmtree(self.root / ".hypothesis", ignore_errors=True)
            if self._fingerprint() != self._whole:
                raise RuntimeError("the copy is not what it was before: a test wrote into it")

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        for folder in _CODE:
            for path in sorted((self.root / folder).rglob("*.py")):
                digest.update(f"{path.relative_to(self.root)}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()
