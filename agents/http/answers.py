"""What the API answers with, around the records of the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.core.recall import words_of
from streams.records import Alert, BrandStats, Channel, Origin, Sentiment, Time  # noqa: TC001  msgspec reads them at run time

if TYPE_CHECKING:
    from streams.core.recall import Retold


class BrandNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One brand. `configured`: the rules of the worker that answers name it; `figures` are absent until it is first heard of."""

    id: str
    configured: bool
    figures: BrandStats | None = None


class Brands(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Brands, by id. `next`, if there are more, is what to give as `after`."""

    brands: tuple[BrandNow, ...]
    next: str | None = None


class Alerts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Alerts, the latest to have started first. `next`, if there are more, is what to give as `after`."""

    alerts: tuple[Alert, ...]
    next: str | None = None


class Quote(Struct, frozen=True, kw_only=True):
    """The `words` that a rule found in a `field` of the mention; `start` and `end` count code points."""

    rule: str
    field: str
    start: int
    end: int
    words: str


class Judgement(Struct, frozen=True, kw_only=True):
    """A brand that the mention matches, why, and how it feels towards it.

    `author_role` is `own` where the brand itself is speaking.
    """

    brand: str
    author_role: Literal["public", "own"]
    issues: tuple[str, ...]
    sentiment: Sentiment
    hits: tuple[Quote, ...]


class JudgedMention(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mention as it last read, judged by the rules of when it came (`rules_version`). `sentiment` is the whole text's.

    `told_to` are the brands that were told when it came: others than in `brands`, if the rules have changed since.
    """

    id: str
    source: str
    observed_at: Time
    origin: Origin
    sentiment: Sentiment
    brands: tuple[Judgement, ...]
    told_to: tuple[str, ...]
    rules_version: str
    op: Literal["create", "update"] = "create"
    channel: Channel = "post"
    text: str = ""
    title: str | None = None
    lang: str | None = None
    author_id: str | None = None
    author_name: str | None = None
    posted_at: Time | None = None
    ingested_at: Time | None = None
    url: str | None = None


def judged(retold: Retold) -> JudgedMention:
    """Show what was recalled."""
    mention = retold.mention
    brands = tuple(
        Judgement(
            brand=match.brand,
            author_role=match.role,
            issues=match.issues,
            sentiment=sentiment,
            hits=tuple(
                Quote(rule=hit.rule, field=hit.field, start=hit.start, end=hit.end, words=words_of(mention, hit))
                for hit in match.hits
            ),
        )
        for match, sentiment in zip(retold.matched.brands, retold.sentiments, strict=True)
    )
    return JudgedMention(
        id=mention.id,
        source=mention.source,
        observed_at=mention.observed_at,
        origin=retold.origin,
        sentiment=retold.sentiment,
        brands=brands,
        told_to=retold.told_to,
        rules_version=retold.rules_version,
        op="update" if mention.op == "update" else "create",
        channel=mention.channel,
        text=mention.text or "",
        title=mention.title,
        lang=mention.lang,
        author_id=mention.author_id,
        author_name=mention.author_name,
        posted_at=mention.posted_at,
        ingested_at=mention.ingested_at,
        url=mention.url,
    )
