"""What happens on Bluesky, as Mentions: posts, edits, deletions, accounts that are gone. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from agents.sources.bluesky.frames import Account, Commit, UnreadableError
from agents.sources.times import read_time
from streams.records import Media, Mention

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from agents.sources.bluesky.frames import Happening

POSTS = "app.bsky.feed.post"

STILL_THERE = ("desynchronized", "throttled")
"""Why a server may call an account inactive although its author took nothing back: its own troubles."""

LONGEST_HANDLE = 254
"""Bytes, with its @: a handle is a domain name. Whoever marks more as one, again and again, would fill the memory."""

EARLIEST_YEAR = 2000
AHEAD = timedelta(minutes=5)
"""A client's clock may be a little fast; one that is further ahead says nothing about when something was written."""


class _Ref(Struct):
    uri: str


class _Reply(Struct):
    root: _Ref
    parent: _Ref


class _Slice(Struct, rename="camel"):
    byte_start: int
    byte_end: int


class _Feature(Struct):
    uri: str | None = None
    tag: str | None = None
    did: str | None = None


class _Facet(Struct):
    index: _Slice
    features: list[_Feature]


class _Image(Struct):
    alt: str = ""


class _Card(Struct):
    uri: str
    title: str = ""
    description: str = ""


class _Quote(Struct):
    """The post itself, or, beside media, one level down."""

    uri: str | None = None
    record: _Ref | None = None


class _Embed(Struct):
    """Every kind of attachment: each fills some of the fields."""

    type: str = field(default="", name="$type")
    images: list[_Image] = []
    items: list[_Image] = []
    alt: str = ""
    external: _Card | None = None
    record: _Quote | None = None
    media: _Embed | None = None


class _Plain(Struct):
    """What a post is at least. The rest of one that some client wrote at variance with the schema is left out."""

    text: str
    created_at: Any = field(default=None, name="createdAt")


class _Post(_Plain):
    langs: list[str] = []
    tags: list[str] = []
    reply: _Reply | None = None
    facets: list[_Facet] = []
    embed: _Embed | None = None


_decode_post = msgspec.json.Decoder(_Post).decode
_decode_plain = msgspec.json.Decoder(_Plain).decode


def id_of(uri: str) -> str:
    """The mention that an `at://` address stands for."""
    return f"bluesky:{uri}"


def mention_of(happening: Happening, cursor: str, now: datetime) -> Mention | None:
    """What is to be said of it; None: nothing.

    Raises:
        UnreadableError: the post is no post.
    """
    match happening.what:
        case Commit() as commit if commit.collection == POSTS:
            return _post(happening, commit, cursor, now)
        case Account(active=False, status=status) if status not in STILL_THERE:
            return Mention(
                id=id_of(happening.did),
                source="bluesky",
                op="account_removed",
                author_id=happening.did,
                observed_at=min(happening.at, now),
                ingested_at=now,
                source_cursor=cursor,
            )
    return None


def _post(happening: Happening, commit: Commit, cursor: str, now: datetime) -> Mention:
    did, observed_at = happening.did, min(happening.at, now)
    mention_id = id_of(f"at://{did}/{POSTS}/{commit.rkey}")
    if commit.operation == "delete":
        return Mention(
            id=mention_id,
            source="bluesky",
            op="delete",
            revision=commit.rev,
            author_id=did,
            observed_at=observed_at,
            ingested_at=now,
            source_cursor=cursor,
        )
    post = _read(commit.record, mention_id)
    card, media, quoted = _attached(post.embed)
    features = [feature for facet in post.facets for feature in facet.features]
    return Mention(
        id=mention_id,
        source="bluesky",
        op="update" if commit.operation == "update" else "create",
        # a server that lost track says posts again under a new rev: what a post says is the same
        revision=commit.rev if commit.operation == "update" else commit.cid,
        text=post.text,
        image_text=tuple(one.alt for one in media if one.alt),
        quoted_text="\n".join(filter(None, (card.title, card.description))) or None if card else None,
        lang=post.langs[0] if post.langs else None,
        author_id=did,
        observed_at=observed_at,
        posted_at=_claimed(post.created_at, observed_at),
        ingested_at=now,
        url=f"https://bsky.app/profile/{did}/post/{commit.rkey}",
        in_reply_to=id_of(post.reply.parent.uri) if post.reply else None,
        root=id_of(post.reply.root.uri) if post.reply else None,
        quoted=quoted,
        links=_once([*(one.uri for one in features), card.uri if card else None]),
        tags=_once([*(one.tag for one in features), *post.tags]),
        mentions=_once(_mentioned(post)),
        media=media,
        source_cursor=cursor,
    )


def _read(record: msgspec.Raw, mention_id: str) -> _Post:
    try:
        try:
            return _decode_post(record)
        except msgspec.ValidationError:
            plain = _decode_plain(record)
            return _Post(plain.text, plain.created_at)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(str(error), mention_id) from None


def _attached(embed: _Embed | None) -> tuple[_Card | None, tuple[Media, ...], str | None]:
    """The link's card, the media, and the id of the post that is quoted."""
    if embed is None:
        return None, (), None
    shown = embed.media or embed
    media = [Media("image", one.alt or None) for one in (*shown.images, *shown.items)]
    if shown.type == "app.bsky.embed.video":
        media.append(Media("video", shown.alt or None))
    uri = None
    if embed.record is not None:
        uri = embed.record.record.uri if embed.record.record else embed.record.uri
    quoted = id_of(uri) if uri and f"/{POSTS}/" in uri else None  # lists and feeds are shared in the same way
    return shown.external, tuple(media), quoted


def _mentioned(post: _Post) -> Iterator[str | None]:
    """Whoever is mentioned: the stable DID, and the handle as it is written."""
    text = post.text.encode() if post.facets else b""
    for facet in post.facets:
        begins, ends = max(0, facet.index.byte_start), max(0, facet.index.byte_end)
        written = text[begins:ends] if ends - begins <= LONGEST_HANDLE else b""
        for feature in facet.features:
            if feature.did:
                yield feature.did
                yield written.decode(errors="ignore").removeprefix("@") if written.startswith(b"@") else None


def _once(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _claimed(created_at: object, observed_at: datetime) -> datetime | None:
    """When its author's client claims that it was written, where that can be true."""
    at = read_time(created_at) if isinstance(created_at, str) else None
    return at if at and at.year >= EARLIEST_YEAR and at <= observed_at + AHEAD else None
