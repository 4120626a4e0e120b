"""The wire contracts: every record on every topic, as JSON.

Fields are only ever added, with defaults, so that a consumer written today
reads what is written tomorrow. Unknown fields are ignored on reading.

Three clocks, never mixed: `posted_at` is what the author's client claims (customers' waiting time),
`observed_at` is when the network witnessed it (event time: windows and detection), `ingested_at`
is when Groundswell received it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Op = Literal["create", "update", "delete", "account_removed"]
Channel = Literal["post", "chat", "email", "phone", "review"]
Label = Literal["negative", "neutral", "positive", "unscored"]
Nature = Literal["trouble", "praise", "flood", "notable"]
Urgency = Literal["page", "ticket"]
Time = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 with an offset: a time without one is refused, since nobody knows what it means."""


Name = Annotated[str, Meta(max_length=1024)]
"""What is shown as evidence is kept in rows, which must stay small: longer ones are refused at the door."""


class Origin(Struct, frozen=True):
    """Where in the raw log a record comes from: the identity that exact counting rests on."""

    epoch: int
    partition: int
    offset: int


class Media(Struct, frozen=True, omit_defaults=True):
    """One attached picture or film."""

    type: str
    alt: str | None = None


class Metrics(Struct, frozen=True, omit_defaults=True):
    """Engagement as the source counted it when it was observed; mostly 0 at creation."""

    likes: int = 0
    reposts: int = 0
    replies: int = 0
    score: int = 0
    views: int = 0


class Place(Struct, frozen=True, omit_defaults=True):
    """Where, only if the source says so."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None


class Mention(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One post, message, call or review, as every source emits it to `mentions.raw`.

    `id` is `"{source}:{native_id}"`, stable, and the Kafka key. A `delete` or an `account_removed`
    carries no text; an `account_removed` names the account in `author_id` and is written once to
    each raw partition. `author_id` is the stable identity (a DID, an account URL), `author_name`
    what people see. `source_cursor` is exactly what a source needs to resume after this event.
    """

    id: Annotated[str, Meta(min_length=1, max_length=1024)]
    source: Annotated[str, Meta(min_length=1, max_length=64)]
    observed_at: Time
    channel: Channel = "post"
    op: Op = "create"
    revision: str | None = None
    text: str | None = None
    title: str | None = None
    image_text: tuple[str, ...] = ()
    quoted_text: str | None = None
    parent_text: str | None = None
    lang: str | None = None
    author_id: Name | None = None
    author_name: Name | None = None
    author_followers: int | None = None
    author_created_at: Time | None = None
    posted_at: Time | None = None
    ingested_at: Time | None = None
    url: Annotated[str, Meta(max_length=4096)] | None = None
    in_reply_to: str | None = None
    root: str | None = None
    quoted: str | None = None
    links: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    metrics: Metrics | None = None
    place: Place | None = None
    direction: Literal["inbound", "outbound"] | None = None
    agent: str | None = None
    case_ref: str | None = None
    customer_id: str | None = None
    source_cursor: str | None = None


class Hit(Struct, frozen=True, omit_defaults=True):
    """Why a rule matched: `start` and `end` are code-point offsets into the original `field`."""

    rule: str
    start: int
    end: int
    field: str = "text"


class Sentiment(Struct, frozen=True, omit_defaults=True):
    """How a mention feels. `compound` runs from -1 to 1; it is absent where the language cannot be scored.

    With a `lexicon` (its version), `compound` is the service score towards the brand, heard in the sentences
    that name it or in the whole text (`about`). `vader_compound` is stock VADER's for the whole text, always.
    `unsure` marks texts near a boundary or with signals that contradict each other.
    """

    label: Label
    compound: float | None = None
    vader_compound: float | None = None
    unsure: bool = False
    about: Literal["sentences", "text"] | None = None
    lexicon: str | None = None


class ScoredMention(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="mention", tag_field="kind"):
    """One (mention, brand), on `mentions.scored`, keyed by brand.

    `late` means that it arrived more than the allowed lateness behind its raw partition's time: it
    is counted, but moves no bucket. `author_role` is `own` for the brand's own accounts, which no
    series, sentiment or detector counts.
    """

    brand: str
    origin: Origin
    id: str
    source: str
    observed_at: Time
    op: Literal["create", "update"] = "create"
    channel: Channel = "post"
    revision: str | None = None
    author_role: Literal["public", "own"] = "public"
    issues: tuple[str, ...] = ()
    sentiment: Sentiment
    late: bool = False
    text: str = ""
    title: str | None = None
    lang: str | None = None
    author_id: str | None = None
    author_name: str | None = None
    author_followers: int | None = None
    author_created_at: Time | None = None
    posted_at: Time | None = None
    ingested_at: Time | None = None
    url: str | None = None
    in_reply_to: str | None = None
    root: str | None = None
    place: Place | None = None
    direction: Literal["inbound", "outbound"] | None = None
    rules_version: str = ""
    hits: tuple[Hit, ...] = ()


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mention shown as evidence; a long text is cut."""

    id: str
    text: str
    observed_at: Time
    sentiment: Label
    author_id: str | None = None
    author_name: str | None = None
    url: str | None = None
    followers: int | None = None


class Removal(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="removal", tag_field="kind"):
    """Text, author and ids must vanish: of one mention (`id`) or of everything by `author_id`.

    Counts are history and stay. `brand` is absent where nobody knows which brand is concerned; such
    a record has no key and goes once to each partition.
    """

    origin: Origin
    why: Literal["deleted", "no_longer_matched", "account_removed"]
    brand: str | None = None
    id: str | None = None
    author_id: str | None = None
    observed_at: Time | None = None

    def takes(self, sample: Sample) -> bool:
        """Whether a sample shows what must vanish."""
        return sample.id == self.id or (self.author_id is not None and sample.author_id == self.author_id)


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="mark", tag_field="kind"):
    """Progress: everything of the origin's partition up to `time` has been told.

    `time` is absent where that partition holds nothing at all, so that it holds nobody back. `silent` names the
    sources that there have fallen silent, as a dead connection does; `idle`: it has been read to its end.
    """

    origin: Origin
    time: Time | None = None
    silent: tuple[str, ...] = ()
    idle: bool = False


class Term(Struct, frozen=True):
    """A word behind a finding: `observed` mentions (weighted) hold it, `lift` times its usual share."""

    term: str
    observed: float
    lift: float


class RulesChanged(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="rules_changed", tag_field="kind"):
    """From its origin on another version of the rules judges: on `mentions.scored` the mentions of one raw partition.

    On `spikes` all that follows, because every raw partition has come so far. `number` counts these changes, from 1, for
    each origin partition of `mentions.scored`, and for each partition of `spikes`; a re-send carries the number of the first time.
    """

    origin: Origin
    version: str
    number: int


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lets a person believe a finding in ten seconds.

    `observed` and `expected` are mentions (of hazard: authors) within `window_s` seconds; `score`, the test
    statistic, is about -ln(`probability`) of seeing this much by chance in that window, with what is usual learned
    over about `baseline_s`. `authors` are different ones in the window, at most 300, and `reach` their followers.
    `first_seen` is when the earliest post behind it that is remembered was witnessed. Half of what came beyond the
    expected is not older than `doubling_min` minutes. Shares run from 0 to 1: of the window's mentions (at most of an
    hour), and of what is usual; `copies` repeat a text, `newcomers` are by authors never heard on the brand before.
    `issues`, `sources` and `places` count the mentions of this hour and the one before. `terms` are what is said more
    than usual. `samples` are three to five posts that differ, the strongest first.
    """

    window_s: int
    observed: float
    expected: float
    score: float
    authors: int = 0
    negative_share: float | None = None
    usual_negative_share: float | None = None
    issues: dict[str, int] = {}
    sources: dict[str, int] = {}
    samples: tuple[Sample, ...] = ()
    probability: float | None = None
    baseline_s: int | None = None
    first_seen: Time | None = None
    reach: int | None = None
    doubling_min: float | None = None
    copies: float | None = None
    newcomers: float | None = None
    places: dict[str, int] = {}
    terms: tuple[Term, ...] = ()


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="finding", tag_field="kind"):
    """What a detector says about a brand, on `spikes`, keyed by brand.

    (`brand`, `detector`, `series`, `episode`, `step`) is its identity: a re-send carries the same.
    `episode` is the start of the episode's first bucket; `step` counts up from 1 within it. Only `nature` trouble
    pages: praise is a storm of applause, a flood few voices or copies that pretend to be many, notable is worth a
    look. Where the detector knows them, `mentions` are the latest few behind it and `terms` what they say; `issues`
    are those that at least half of it is about. `parameters` are the detector's, seeds included.
    """

    brand: str
    detector: str
    series: str
    episode: Time
    step: int
    state: Literal["open", "over"]
    at: Time
    evidence: Evidence
    detector_version: str = ""
    nature: Nature = "trouble"
    mentions: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    issues: tuple[str, ...] = ()
    rules_version: str = ""
    parameters: dict[str, float | int | str] = {}


class Alert(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident and its life, on `alerts`, keyed by `id`, in its brand's partition.

    Each `step` is one change; `status` is where it stands and `change` what this step did. A
    re-publication carries the same step and `change` "refreshed". `detectors` are those that saw it, each with its series.
    `started_at` is the start of the first episode; `at` is when this step was made, in event time. A resolved one says why:
    all was `over`, or its brand was taken out of the rules (`rule_removed`).

    A page wants somebody now; a ticket is to be read some time: of another `nature` than trouble, or trouble
    that does not page because of `muted_by`, a known event or a cool-down. A ticket may become a page, never the other
    way. `gravity` from 0 to 10 is what the severity follows, the highest so far. `rules_version` is of the evidence.
    """

    id: str
    brand: str
    status: Literal["firing", "resolved"]
    change: Literal["fired", "updated", "resolved", "refreshed"]
    step: int
    severity: Literal["info", "warning", "critical"]
    title: str
    started_at: Time
    at: Time
    detectors: tuple[str, ...]
    evidence: Evidence
    resolved_at: Time | None = None
    urgency: Urgency = "page"
    nature: Nature = "trouble"
    muted_by: str = ""
    gravity: float = 0.0
    rules_version: str = ""
    resolved_because: Literal["over", "rule_removed"] | None = None


class Figures(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one brand's public mentions from `start` for `span_s` seconds."""

    start: Time
    span_s: int
    mentions: int = 0
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    unscored: int = 0


class Expected(Struct, frozen=True, kw_only=True):
    """What a detector takes for usual now: of `series` it saw `observed` mentions in the last `window_s` seconds.

    About `expected` are usual, and from `high` on it would speak.
    """

    detector: str
    series: str
    window_s: int
    observed: float
    expected: float
    high: float


class BrandStats(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A brand's latest figures, on the compacted `brand-stats`, keyed by brand.

    `minute` is the last closed minute; `hour` and `day` (UTC) are running. `applied` and `late`
    count every scored mention since the beginning: scored = applied + late. `minutes` and
    `negative_minutes` are mentions in each of the last 60 closed minutes, oldest first; `expected` is
    empty while detectors learn.
    """

    brand: str
    at: Time
    minute: Figures
    hour: Figures
    day: Figures
    applied: int
    late: int
    learning_until: Time | None = None
    minutes: tuple[int, ...] = ()
    negative_minutes: tuple[int, ...] = ()
    expected: tuple[Expected, ...] = ()


class SourceState(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source: where it goes on, and how it does, on the compacted `sources`, keyed by what is listened to.

    Everything up to `cursor` is in `mentions.raw`. `state` has a reason in `says` unless all is well; `published`,
    `gaps` and `reconnects` count since `since`, when its process began to listen.
    """

    source: str
    key: str
    state: Literal["connecting", "listening", "waiting", "ended", "failed"]
    at: Time
    since: Time
    cursor: str | None = None
    says: str | None = None
    published: int = 0
    gaps: int = 0
    reconnects: int = 0
    observed_at: Time | None = None


class Ruleset(Struct, frozen=True, kw_only=True, tag="ruleset", tag_field="kind"):
    """One version of the rules, on the compacted `rules`, keyed by `version`: the sha256 of its content. It never changes.

    `text` is the YAML file as it was published.
    """

    version: str
    text: str


class InForce(Struct, frozen=True, kw_only=True, tag="in_force", tag_field="kind"):
    """Which version of the rules judges what comes, on `rules` under the key `current`."""

    version: str


ON_SCORED = ScoredMention | Removal | Mark | RulesChanged
ON_SPIKES = Finding | Removal | Mark | RulesChanged
ON_RULES = Ruleset | InForce

encode = msgspec.json.Encoder().encode
