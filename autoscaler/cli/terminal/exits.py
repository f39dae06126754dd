"""Exit statuses, and trouble as a value: a sentence for a person and the status that goes with it."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the exit status of every command means."""

    OK = 0  # done
    NO = 1  # a negative answer: trouble found, warnings under --strict, nothing found, refused by the daemon
    USAGE = 2  # the configuration or the command line is wrong; nothing was sent
    UNREACHABLE = 3  # daemon, journal, vendor or the address to listen on could not be reached
    LOCKED = 4  # another process holds the journal
    INTERRUPTED = 130  # Ctrl-C


class Trouble(Exception):
    """Expected trouble. The text is for the person at the terminal and holds no secret."""

    def __init__(self, message: str, status: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.status = status
