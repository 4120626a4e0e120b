"""The `key=value` options that a source is opened with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.sources.interface import SourceError
from agents.sources.times import read_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class Options:
    """Reads options; every refusal names the source, the option, its value and what was expected."""

    def __init__(self, source: str, given: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Refuse options that are not known.

        Raises:
            SourceError: as all methods.
        """
        self._source, self._given = source, given
        if strangers := sorted(given.keys() - known.keys()):
            raise SourceError(f"{source}: no option {', '.join(strangers)}; options: {', '.join(known)}")

    def required(self, name: str) -> str:
        """An option that must be there."""
        if not self._given.get(name):
            raise SourceError(f"{self._source}: {name}=... is required")
        return self._given[name]

    def text(self, name: str, default: str) -> str:
        """Any text."""
        return self._given.get(name, default)

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
