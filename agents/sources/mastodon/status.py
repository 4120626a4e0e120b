"""Mastodon's Status -> Mention."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agents.sources.html import plain
from streams.records import Media, Mention, Metrics, Time

BITS_BELOW_TIME = 16
PUBLIC = ("public", "unlisted")

NUMBER = re.compile(r"[0-9]{1,19}")

Id = Annotated[str, Meta(pattern=f"^{NUMBER.pattern}$")]


class Account(Struct):
    """Who speaks."""

    url: str
    acct: str
    followers_count: int | None = None
    created_at: Time | None = None
    noindex: bool | None = None
    discoverable: bool | None = None


class Attachment(Struct):
    """One picture, film or sound."""

    type: str = "unknown"
    description: str | None = None


class Addressed(Struct):
    """Somebody whom the post names."""

    acct: str


class Tag(Struct):
    """A tag, without its #."""

    name: str


class Quoted(Struct):
    """Mastodon 4.5: the post that is quoted; None if it was deleted, or its author did not agree."""

    quoted_status: Status | None = None


class Numbered(Struct):
    """What has a number on this server."""

    id: Id


class Status(Numbered):
    """The fields of a Status that are used here."""

    created_at: Time
    account: Account
    visibility: str
    uri: str
    content: str = ""
    url: str | None = None
    edited_at: Time | None = None
    spoiler_text: str = ""
    language: str | None = None
    in_reply_to_id: Id | None = None
    reblog: msgspec.Raw | None = None
    quote: Quoted | None = None
    media_attachments: list[Attachment] = []
    mentions: list[Addressed] = []
    tags: list[Tag] = []
    favourites_count: int = 0
    reblogs_count: int = 0
    replies_count: int = 0

    @property
    def open(self) -> bool:
        """Whether it says something of its own, to everybody, by somebody who does not mind being found.

        A boost repeats another's words. `noindex` asks those who make indexes to leave the account out.
        """
        boost = self.reblog is not None and bytes(self.reblog) != b"null"
        return self.visibility in PUBLIC and not boost and not self.account.noindex


_decode = msgspec.json.Decoder(Status).decode


def read_status(stood: bytes) -> Status | None:
    """Read one; None where that is impossible."""
    try:
        return _decode(stood)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_number(stood: bytes | str) -> int | None:
    """Read the number of a post; None where that is impossible."""
    text = stood.decode("ascii", "replace") if isinstance(stood, bytes) else stood
    return int(text) if NUMBER.fullmatch(text.strip()) else None


def id_at(time: datetime) -> int:
    """The lowest id of a post of this time: ids count milliseconds since 1970, and 16 bits below."""
    return int(time.timestamp() * 1000) << BITS_BELOW_TIME


def time_of(status_id: int) -> datetime:
    """When a post with this id was made."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=status_id >> BITS_BELOW_TIME)


def mention_id(server: str, status_id: str | int) -> str:
    """The id of the mention."""
    return f"mastodon:{server}/{status_id}"


def created(status: Status, server: str, observed_at: datetime | None, now: datetime) -> Mention:
    """The mention, as it reads now; `observed_at` is when the server told of it, if that is known.

    Its revision is when it was first said: later edits make it no other creation.
    """
    said = plain(status.content)
    quoted = status.quote.quoted_status if status.quote else None
    quoted = quoted if quoted is not None and quoted.open else None
    account = status.account
    return Mention(
        id=mention_id(server, status.id),
        source="mastodon",
        op="create",
        revision=status.created_at.isoformat(),
        observed_at=min(observed_at or status.created_at, now),
        posted_at=status.created_at,
        ingested_at=now,
        title=status.spoiler_text.strip() or None,
        text=said.text,
        image_text=tuple(one.description for one in status.media_attachments if one.description),
        quoted_text=plain(quoted.content).text if quoted else None,
        quoted=mention_id(server, quoted.id) if quoted else None,
        lang=status.language,
        author_id=account.url,
        author_name=_handle(account.acct, server),
        author_followers=account.followers_count,
        author_created_at=account.created_at,
        url=status.url or status.uri,
        in_reply_to=mention_id(server, status.in_reply_to_id) if status.in_reply_to_id else None,
        links=said.links,
        tags=tuple(tag.name for tag in status.tags),
        mentions=tuple(_handle(one.acct, server) for one in status.mentions),
        media=tuple(Media(type=one.type, alt=one.description) for one in status.media_attachments),
        metrics=Metrics(likes=status.favourites_count, reposts=status.reblogs_count, replies=status.replies_count),
    )


def edited(status: Status, server: str, observed_at: datetime | None, now: datetime) -> Mention:
    """The mention as an edit of what was said before.

    A server also tells of posts that were not edited, such as when a quote is allowed: how it reads is its revision.
    """
    mention = created(status, server, observed_at or status.edited_at or now, now)
    words = "\0".join(part or "" for part in (mention.title, mention.text, mention.quoted_text))
    revision = status.edited_at.isoformat() if status.edited_at else blake2b(words.encode(), digest_size=8).hexdigest()
    return msgspec.structs.replace(mention, op="update", revision=revision)


def deleted(status_id: str | int, server: str, now: datetime) -> Mention:
    """The mention's end."""
    return Mention(id=mention_id(server, status_id), source="mastodon", op="delete", observed_at=now, ingested_at=now)


def _handle(acct: str, server: str) -> str:
    """`jo@social.example`: accounts of the server itself come without it."""
    return acct if "@" in acct else f"{acct}@{server}"
