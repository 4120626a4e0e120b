"""Hacker News's item -> Mention."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
from msgspec import Struct

from agents.sources.html import plain
from streams.records import Mention, Metrics

SITE = "https://news.ycombinator.com"
TOLD = ("story", "comment", "poll")
"""Jobs are advertisements, and the options of a poll are no sentences."""


class Item(Struct):
    """The fields of an item that are used here."""

    id: int
    time: int = 0
    type: str = ""
    by: str | None = None
    title: str | None = None
    text: str | None = None
    url: str | None = None
    parent: int | None = None
    score: int = 0
    deleted: bool = False
    dead: bool = False

    @property
    def said_at(self) -> datetime:
        """When the site took it."""
        return datetime.fromtimestamp(self.time, UTC)

    @property
    def gone(self) -> bool:
        """Whether its author (deleted) or the moderators (dead) have taken it away."""
        return self.deleted or self.dead

    @property
    def words(self) -> str:
        """A short name for how it reads."""
        said = "\0".join(part or "" for part in (self.title, self.text, self.url))
        return blake2b(said.encode(), digest_size=8).hexdigest()


_decode = msgspec.json.Decoder(Item | None).decode


def read_item(stood: bytes) -> Item | None:
    """Read one; None where the site (still) says null.

    Raises:
        ValueError: it is no item.
    """
    try:
        item = _decode(stood)
        if item is not None:
            _ = item.said_at
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError, OSError) as error:
        raise ValueError(str(error)) from None
    return item


def mention_id(number: int) -> str:
    """The id of the mention."""
    return f"hackernews:{number}"


def created(item: Item, root: int | None, now: datetime) -> Mention:
    """The mention, as it reads now; `root` is the story that it belongs to, if that is known.

    Its revision is when it was said: later edits make it no other creation.
    """
    said = plain(item.text or "")
    return Mention(
        id=mention_id(item.id),
        source="hackernews",
        revision=str(item.time),
        observed_at=min(item.said_at, now),
        posted_at=item.said_at,
        ingested_at=now,
        title=plain(item.title or "").text or None,
        text=said.text,
        author_id=f"{SITE}/user?id={item.by}" if item.by else None,
        author_name=item.by,
        url=f"{SITE}/item?id={item.id}",
        in_reply_to=mention_id(item.parent) if item.parent is not None else None,
        root=mention_id(root) if root is not None and root != item.id else None,
        links=(*([item.url] if item.url else ()), *said.links),
        metrics=Metrics(score=item.score),
    )


def edited(item: Item, root: int | None, now: datetime) -> Mention:
    """The mention as an edit of what was said before. The site does not say when that was."""
    return msgspec.structs.replace(created(item, root, now), op="update", revision=item.words, observed_at=now)


def deleted(number: int, now: datetime) -> Mention:
    """The mention's end."""
    return Mention(id=mention_id(number), source="hackernews", op="delete", observed_at=now, ingested_at=now)
