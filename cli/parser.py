"""The argument parser of every command."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import NoReturn


class Parser(ArgumentParser):
    """An `ArgumentParser` that says a mistake in one line, without the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; the exit code is 2."""
        self.exit(2, f"decompose: {message}; see `{self.prog} --help`.\n")
