"""The `key=value` options that a source is opened with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agents.sources.interface import SourceError
from agents.sources.times import read_time
from streams.settings import read_secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class Secret(str):
    """The help of an option that is never given on a command line, where every user of the machine could read it.

    It is read from GROUNDSWELL_<SOURCE>_<OPTION>, or from the file that GROUNDSWELL_<SOURCE>_<OPTION>_FILE names.
    """

    __slots__ = ()


def variable_of(source: str, option: str) -> str:
    """The variable that holds a secret option."""
    return f"GROUNDSWELL_{source}_{option}".upper()


class Options:
    """Reads options; every refusal names the source, the option, its value and what was expected."""

    def __init__(self, source: str, given: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Refuse options that are not known.

        Raises:
            SourceError: as all methods.
        """
        self._source, self._given, self._known = source, given, known
        if strangers := sorted(given.keys() - known.keys()):
            raise SourceError(f"{source}: no option {', '.join(strangers)}; options: {', '.join(known)}")

        for name in given:
            if isinstance(known[name], Secret):
                raise SourceError(
                    f"{source}: {name} is a secret, and everybody sees a command line: put it into "
                    f"{variable_of(source, name)}, or name a file that holds it in {variable_of(source, name)}_FILE"
                )

    def secret(self, name: str) -> str | None:
        """A secret, from the environment or a file; None if neither is given. The end of its line is no part of it."""
        value = read_secret(variable_of(self._source, name))
        return value and value.strip()

    def required_secret(self, name: str) -> str:
        """A secret that must be there."""
        value = self.secret(name)
        if not value:
            variable = variable_of(self._source, name)
            raise SourceError(f"{self._source}: set {variable}, or {variable}_FILE: {self._known[name]}")
        return value

    def required(self, name: str) -> str:
        """An option that must be there."""
        if not self._given.get(name):
            raise SourceError(f"{self._source}: {name}=... is required")
        return self._given[name]

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return self._given.get(name, default)

    def texts(self, name: str) -> tuple[str, ...]:
        """Several, between commas; empty if it is not given."""
        return tuple(part.strip() for part in self._given.get(name, "").split(",") if part.strip())

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        """A number within bounds."""
        value = self._given.get(name)
        try:
            number = default if value is None else float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise SourceError(f"{self._source}: {name}={value}: expected a number from {least:g} to {most:g}")
        return number

    def one_of(self, name: str, choices: Sequence[str]) -> str:
        """One of `choices`; the first if it is not given."""
        value = self._given.get(name, choices[0])
        if value not in choices:
            raise SourceError(f"{self._source}: {name}={value}: expected {' or '.join(choices)}")
        return value

    def speed(self, name: str) -> float | None:
        """A factor above 0, such as 60 or 60x; None if it is not given."""
        value = self._given.get(name)
        if value is None:
            return None
        try:
            factor = float(value.removesuffix("x"))
        except ValueError:
            factor = 0.0
        if not 0 < factor <= 1e9:
            raise SourceError(f"{self._source}: {name}={value}: expected a factor such as 1x or 60x")
        return factor

    def time(self, name: str) -> datetime | None:
        """A time; None if it is not given."""
        value = self._given.get(name)
        time = None if value is None else read_time(value)
        if value is not None and time is None:
            raise SourceError(f"{self._source}: {name}={value}: expected a time such as 2026-01-31T12:00:00Z")
        return time
