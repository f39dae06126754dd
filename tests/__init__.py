"""Tests; a package, so that shared helpers import as ``tests.…`` and file names may repeat."""
