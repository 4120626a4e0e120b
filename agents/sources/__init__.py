"""Where mentions come from. A new source is one new file, or package, and one line in `SOURCES`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agents.sources.bluesky import Bluesky
from agents.sources.hackernews import HackerNews
from agents.sources.interface import Source, SourceError
from agents.sources.mail import Email
from agents.sources.mastodon import Mastodon
from agents.sources.reddit import Reddit
from agents.sources.replay import Replay
from agents.sources.rss import Rss
from agents.sources.simulate import Simulate
from agents.sources.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping


class SourceKind(Protocol):
    """A kind of source: what it is in a line, and its options with a line of help each."""

    name: str
    about: str
    options: Mapping[str, str]

    def open(self, options: Mapping[str, str]) -> Source:
        """Make one from `key=value` options; a SourceError names what is wrong with them."""


SOURCES: dict[str, SourceKind] = {
    "bluesky": Bluesky,
    "mastodon": Mastodon,
    "hackernews": HackerNews,
    "replay": Replay,
    "simulate": Simulate,
    "rss": Rss,
    "reddit": Reddit,
    "email": Email,
    "webhook": Webhook,
}


def open_source(name: str, options: Mapping[str, str]) -> Source:
    """Make the source `name` from `key=value` options.

    Raises:
        SourceError: there is no such source, or an option is wrong.
    """
    if name not in SOURCES:
        raise SourceError(f"no source {name!r}; sources: {', '.join(SOURCES)}")
    return SOURCES[name].open(options)
