"""Where mentions come from. A new source is one new file and one line in `SOURCES`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agents.sources.interface import Source, SourceError
from agents.sources.replay import Replay
from agents.sources.simulate import Simulate

if TYPE_CHECKING:
    from collections.abc import Mapping


class SourceKind(Protocol):
    """A kind of source: what it is in a line, and its options with a line of help each."""

    about: str
    options: Mapping[str, str]

    def open(self, options: Mapping[str, str]) -> Source:
        """Make one from `key=value` options; a SourceError names what is wrong with them."""


SOURCES: dict[str, SourceKind] = {
    "replay": Replay,
    "simulate": Simulate,
}


def open_source(name: str, options: Mapping[str, str]) -> Source:
    """Make the source `name` from `key=value` options.

    Raises:
        SourceError: there is no such source, or an option is wrong.
    """
    if name not in SOURCES:
        raise SourceError(f"no source {name!r}; sources: {', '.join(SOURCES)}")
    return SOURCES[name].open(options)
