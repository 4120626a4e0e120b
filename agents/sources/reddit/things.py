"""A post or a comment of Reddit, as its API shows it -> a mention; no network here."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Literal

import msgspec

from streams.records import Mention, Metrics

GONE = ("[deleted]", "[removed]")
NOBODY = "[deleted]"

Name = Annotated[str, msgspec.Meta(pattern=r"^t[13]_[0-9a-z]{1,12}$")]


class Data(msgspec.Struct):
    """What is read of a thing: `body` of a comment, `title` and `selftext` of a post."""

    name: Name
    created_utc: Annotated[float, msgspec.Meta(ge=0, le=32_000_000_000)]
    subreddit: str
    author: str = NOBODY
    author_fullname: str | None = None
    body: str | None = None
    selftext: str | None = None
    title: str | None = None
    url: str | None = None
    permalink: str = ""
    link_id: str | None = None
    parent_id: str | None = None
    score: int = 0
    num_comments: int = 0
    edited: bool | float = False
    removed_by_category: str | None = None


class Thing(msgspec.Struct):
    """A comment (t1) or a post (t3)."""

    kind: Literal["t1", "t3"]
    data: Data

    @property
    def name(self) -> str:
        """Its full name, such as t1_od1b2c4."""
        return self.data.name

    @property
    def gone(self) -> bool:
        """Whether its author or a moderator took it away."""
        return self.data.removed_by_category is not None or self.data.body in GONE or self.data.selftext in GONE

    @property
    def orphan(self) -> bool:
        """Whether only its author is gone."""
        return self.data.author == NOBODY

    @property
    def author_id(self) -> str:
        """The account's full name; u/... where it is not given."""
        return self.data.author_fullname or f"u/{self.data.author}"

    @property
    def edited_s(self) -> int:
        """When it was last edited, seconds since 1970; 0: never."""
        return int(self.data.edited)

    def mention(self, now: datetime, *, edited: bool = False) -> Mention:
        """Tell it, as it reads now. The revision of its creation is when it was said: later edits make it no other one."""
        data = self.data
        posted_at = datetime.fromtimestamp(data.created_utc, UTC)
        told = datetime.fromtimestamp(self.edited_s, UTC) if edited else posted_at
        elsewhere = data.url if data.url and data.permalink not in data.url else None
        return Mention(
            id=f"reddit:{self.name}",
            source="reddit",
            op="update" if edited else "create",
            observed_at=min(told, now),
            ingested_at=now,
            posted_at=posted_at,
            revision=str(self.edited_s if edited else int(data.created_utc)),
            title=data.title,
            text=data.body if self.kind == "t1" else data.selftext,
            author_id=self.author_id,
            author_name=data.author,
            url=f"https://www.reddit.com{data.permalink}" if data.permalink else None,
            in_reply_to=f"reddit:{data.parent_id}" if data.parent_id else None,
            root=f"reddit:{data.link_id}" if data.link_id else None,
            links=(elsewhere,) if elsewhere else (),
            tags=(data.subreddit,),
            metrics=Metrics(score=data.score, replies=data.num_comments),
        )


class _Named(msgspec.Struct):
    name: Name


class _Stranger(msgspec.Struct):
    data: _Named


read_thing = msgspec.json.Decoder(Thing).decode
_read_stranger = msgspec.json.Decoder(_Stranger).decode


def name_in(raw: bytes) -> str:
    """What to call a thing that nobody can read: its own name, since its score changes all the time; else a hash."""
    try:
        return _read_stranger(raw).data.name
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return blake2b(raw, digest_size=8).hexdigest()


def number_of(name: str) -> int:
    """Things are numbered in the order in which they came to be, over all of Reddit: base 36."""
    return int(name[3:], 36)


def name_of(kind: str, number: int) -> str:
    """The thing of this number."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"{kind}_{digits or '0'}"
