"""Intake's judgement of one raw partition, in order: what each record is, whom it concerns, what to tell.

Pure: values in, verdicts out. What became of each is entered in the books (`streams.core.books`), and from which offset on
which version of the rules judges: a record that is judged again is judged by the version of the first time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.core.books import BOOKS_KEY, CLASSES, Books
from streams.core.parse import Rejected, parse
from streams.core.recall import Recall, names_in, scored_text
from streams.core.redeliveries import Redeliveries, fingerprint
from streams.core.removals import Removals
from streams.core.strip import Place  # noqa: TC001  a field's type
from streams.records import Mark, Mention, Origin, Removal, RulesChanged, ScoredMention

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.core.books import Turn
    from streams.core.recall import ScoreMany
    from streams.core.rules import BrandMatch, Matched, Rules
    from streams.core.versions import Versions
    from streams.records import Sentiment

TOLD_EVERY = timedelta(minutes=1)


class RawRecord(NamedTuple):
    """One record of the raw topic. `appended_at` is the broker's clock, `attempts` how often people sent it back."""

    offset: int
    appended_at: datetime
    key: bytes | None
    value: bytes | None
    attempts: bytes | None = None


class ToBrand(NamedTuple):
    """Tell those who follow one brand; None: everybody, since it concerns all, or nobody knows whom."""

    brand: str | None
    record: ScoredMention | Removal | RulesChanged


class SetAside(NamedTuple):
    """Keep for people to look at, with its original bytes."""

    record: RawRecord
    why: Rejected


class TakeAway(NamedTuple):
    """Remove the dead letter that stands for this place in the log, (epoch, offset): what it holds was deleted."""

    letter: Place


Verdict = ToBrand | SetAside | TakeAway


class TooManyRejected(Exception):  # noqa: N818  it is said to people
    """Most of the latest input is rejected: the fault is ours or a source's, and Kafka should keep the backlog."""


class NoRulesError(Exception):
    """Nothing says what to listen for; the message says what to do."""


class Policy(NamedTuple):
    """What an operator decides. More than `rejected_share` of about the last `rejected_window` records stops the worker.

    Not more than `ahead` records are told beyond what the books say.
    """

    allowed_lateness: timedelta
    max_future: timedelta
    rejected_share: float
    rejected_window: int
    remembered: int
    author_key: bytes = b""
    ahead: int = 10_000


class _Heard(NamedTuple):
    """A mention to be scored and told to each brand that it matched."""

    mention: Mention
    matches: Sequence[BrandMatch]
    origin: Origin
    late: bool
    rules: str


class Intake:
    """One raw partition: its books and its memory of redeliveries."""

    def __init__(
        self,
        partition: int,
        versions: Versions,
        score_many: ScoreMany,
        policy: Policy,
        rows: Iterable[tuple[bytes, bytes]] = (),
        *,
        untold_from: int = 0,
    ) -> None:
        """`untold_from`: this offset and those after it certainly did not exist before now."""
        self.partition, self._versions, self._score_many, self._policy = partition, versions, score_many, policy
        self._about_to_tell = -1
        self.books = Books()
        self._memory = Redeliveries(policy.remembered, policy.author_key)
        self._removed = Removals(policy.author_key)
        self._written = True
        self._told_written: datetime | None = None
        self.rules_used: dict[str, int] = {}
        """How often each rule matched or excluded a mention since somebody last took this away."""
        for key, row in rows:
            if key == BOOKS_KEY:
                self.books = msgspec.msgpack.decode(row, type=Books)
            elif not self._removed.load(key, row):
                self._memory.load(int(key), row)
        self._untold_from = min(untold_from, self.books.may_tell + 1)
        self._untold_turns = [turn for turn in self.books.turns if turn.since > self.books.offset]
        self._memory.before = self.books.before
        known, self.books.author_key = self.books.author_key, fingerprint("author key", policy.author_key)
        if known not in (None, self.books.author_key):
            self.books.forgotten += 1  # authors remembered under another key are strangers: removals go to everybody

    # -- rules -----------------------------------------------------------------------------------

    def adopt(self, first: int, last: int) -> bool:
        """From the offset `first` on judge by the version in force. True: the books must stand before anything up to `last` is told.

        What may have been told before this desk was opened keeps the version that the books name for it.

        Raises:
            NoRulesError: no version was ever in force.
        """
        if not self._turn(first) and last <= self.books.may_tell:
            return False
        self._about_to_tell, self._written = last, False
        return True

    def _turn(self, first: int) -> bool:
        books, current = self.books, self._versions.current
        if current is None and not books.turns:
            raise NoRulesError(
                "no rules are in force: run `groundswell rules publish FILE`, or name a file (GROUNDSWELL_RULES)"
            )
        if current is None or current.version == books.rules or (books.turns and first < self._untold_from):
            return False
        turn = books.turn_to(current.version, max(first, books.offset + 1))
        self._untold_turns = [*(one for one in self._untold_turns if one.since < turn.since), turn]
        return True

    def turns(self, up_to: int | None = None) -> list[ToBrand]:
        """Tell everybody, once, which version judges from where on: of turns up to an offset, or of all."""
        due = [turn for turn in self._untold_turns if up_to is None or turn.since <= up_to]
        self._untold_turns = self._untold_turns[len(due) :]
        return [ToBrand(None, self._changed(turn)) for turn in due]

    def _changed(self, turn: Turn) -> RulesChanged:
        return RulesChanged(origin=self._origin(turn.since), version=turn.version, number=turn.number)

    @property
    def rules(self) -> Rules | None:
        """The version that judges what comes; None: none yet."""
        return self._versions.of(self.books.rules) if self.books.turns else None

    # -- judging ---------------------------------------------------------------------------------

    def judge(self, records: Sequence[RawRecord]) -> tuple[list[Verdict], dict[str, int]]:
        """Judge the next records; return what to tell, in order, and how many fell into each class.

        Records at or below the books' offset were told before they were written down; they are passed over. The books
        name the version of the rules for each of the others (`adopt`).

        Raises:
            TooManyRejected: nothing of this batch may be acknowledged; the worker must stop.
        """
        fresh = [record for record in records if record.offset > self.books.offset]
        parsed = [self._parse(record) for record in fresh]
        matches = self._match(fresh, parsed)
        told: list[_Heard | Verdict] = []
        counts = dict.fromkeys(CLASSES, 0)
        for record, one in zip(fresh, parsed, strict=True):
            at = (self.books.epoch, record.offset)
            if self._untold_turns:
                told.extend(self.turns(record.offset))
            if isinstance(one, Rejected):
                told.append(SetAside(record, one))
                if self._removed.is_letter_gone(at, record.key, record.value):
                    told.append(TakeAway(at))
                else:
                    self._removed.note_letter(at, record.key, record.value)
                what, source = "dead", "unreadable"
            elif one.op in ("create", "update"):
                what, source = self._hear(record.offset, one, next(matches), told), one.source
            else:
                told.extend(self._removals(record.offset, one))
                told.extend(TakeAway(letter) for letter in self._removed.letters_of(one, at))
                self._removed.note_gone(one, at)
                what, source = "control", one.source
            counts[what] += 1
            observed_at = None if isinstance(one, Rejected) else one.observed_at
            self.books.enter(record.offset, source, what, observed_at, self._policy.rejected_window)
            self._written = False
            if isinstance(one, Rejected):
                self._check_share(record.offset, one)
        return list(self._score(told)), counts

    def _match(self, fresh: Sequence[RawRecord], parsed: Sequence[Mention | Rejected]) -> Iterator[tuple[Matched, str]]:
        """What the rules say about each mention that says something, and which version said it."""
        said = zip(fresh, parsed, strict=True)
        for version, some in groupby(said, key=lambda pair: self.books.version_at(pair[0].offset)):
            spoken = [one for _, one in some if isinstance(one, Mention) and one.op in ("create", "update")]
            yield from ((match, version) for match in self._versions.of(version).match_many(spoken))

    def _parse(self, record: RawRecord) -> Mention | Rejected:
        one = parse(record.key, record.value)
        if isinstance(one, Mention) and one.observed_at > record.appended_at + self._policy.max_future:
            ahead = one.observed_at - record.appended_at
            return Rejected("time_future", f"observed_at is {ahead} ahead of the broker's clock")
        return one

    def _hear(self, offset: int, mention: Mention, matched: tuple[Matched, str], told: list[_Heard | Verdict]) -> str:
        match, version = matched
        late = self._is_late(mention)
        first = self._memory.first_delivery(mention)
        if first is not None and first < offset:
            return "duplicate"
        origin = self._origin(offset)
        used = self.rules_used
        for rule in {*match.excluded_by, *(hit.rule for one in match.brands for hit in one.hits)}:
            used[rule] = used.get(rule, 0) + 1
        brands = tuple(one.brand for one in match.brands)
        if brands and self._removed.is_gone(mention, (self.books.epoch, offset)):
            return "duplicate"
        before = self._memory.brands_before(mention.id, offset) if mention.op == "update" else ()
        if first is None and (brands or before):
            forgotten = self._memory.forgotten
            self._memory.remember(mention, offset, brands)
            self.books.forgotten += self._memory.forgotten - forgotten
        told.extend(
            ToBrand(brand, Removal(origin=origin, why="no_longer_matched", brand=brand, id=mention.id))
            for brand in before
            if brand not in brands
        )
        if not brands:
            return "excluded" if match.excluded_by else "unmatched"
        told.append(_Heard(mention, match.brands, origin, late, version))
        return "matched"

    def _is_late(self, mention: Mention) -> bool:
        books = self.books
        if books.highest is None or mention.observed_at > books.highest:
            books.highest = mention.observed_at
        return books.time() - mention.observed_at > self._policy.allowed_lateness  # type: ignore[operator]

    def _removals(self, offset: int, mention: Mention) -> Iterator[ToBrand]:
        """A mention that nobody remembers may still stand somewhere, so everybody hears of its deletion."""
        origin, at = self._origin(offset), mention.observed_at
        if mention.op == "delete":
            for brand in self._memory.brands_before(mention.id, offset) or (None,):
                yield ToBrand(brand, Removal(origin=origin, why="deleted", brand=brand, id=mention.id, observed_at=at))
        else:
            author = mention.author_id or ""
            brands: tuple[str | None, ...] = self._memory.brands_of_author(author)
            if self.books.forgotten:
                brands = (None,)  # it may have touched more brands than we remember
            for brand in brands:
                gone = Removal(origin=origin, why="account_removed", brand=brand, author_id=author, observed_at=at)
                yield ToBrand(brand, gone)

    def _origin(self, offset: int) -> Origin:
        return Origin(self.books.epoch, self.partition, offset)

    def _score(self, told: list[_Heard | Verdict]) -> Iterator[Verdict]:
        heard = [one for one in told if isinstance(one, _Heard)]
        asked = [(one.mention, match) for one in heard for match in one.matches]
        texts = [scored_text(mention) for mention, _ in asked]
        langs = [mention.lang for mention, _ in asked]
        names = [names_in(mention, match) for mention, match in asked]
        sentiments = iter(self._score_many(texts, langs, names))
        for one in told:
            if isinstance(one, _Heard):
                for match in one.matches:
                    sentiment = next(sentiments)
                    self.books.scored[match.brand] = self.books.scored.get(match.brand, 0) + 1
                    yield ToBrand(match.brand, _scored(one, match, sentiment))
            else:
                yield one

    @property
    def recall(self) -> Recall:
        """Answers whoever asks what became of one mention."""
        return Recall(self.partition, self.books, self._memory, self._removed, self._versions, self._score_many)

    # -- accounts --------------------------------------------------------------------------------

    def _check_share(self, offset: int, why: Rejected) -> None:
        books, window = self.books, self._policy.rejected_window
        if books.recent > window / 2 and books.recent_rejected > self._policy.rejected_share * books.recent:
            raise TooManyRejected(
                f"{books.recent_rejected / books.recent:.0%} of the last {books.recent:.0f} records of partition "
                f"{self.partition} cannot be read, the latest at offset {offset} ({why.reason}: {why.detail}). Mend the "
                f"source; or set GROUNDSWELL_DEAD_LETTER_SHARE=1 to let them all be set aside, and look at them with "
                f"`groundswell dead-letters list`."
            )

    @property
    def forgotten(self) -> int:
        """Mentions that dropped out of the memory of redeliveries so far, for lack of room."""
        return self.books.forgotten

    def time(self) -> datetime | None:
        """How far this partition's time has come; None: it has never held a mention."""
        return self.books.time()

    def quiet_until(self, time: datetime) -> None:
        """Time has gone on while nothing was said. It is written down once a minute, so that a restart goes on from there."""
        self.books.told = time
        if self._told_written is None or time - self._told_written >= TOLD_EVERY:
            self._told_written, self._written = time, False

    def mark(self, time: datetime | None, *, idle: bool = False) -> Mark:
        """Say that everything up to `time` has been told."""
        return Mark(origin=self._origin(self.books.offset), time=time, silent=self.books.silent(), idle=idle)

    def changed_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows changed since the last call, the books last."""
        if self._written:
            return []
        self._written = True
        self.books.may_tell = max(self.books.offset, self._about_to_tell) + self._policy.ahead
        rows = [(b"%020d" % start, row) for start, row in self._memory.changed_rows()]
        return [*rows, *self._removed.changed_rows(), (BOOKS_KEY, msgspec.msgpack.encode(self.books))]


def rule_names(rules: Rules) -> Iterator[str]:
    """The rules that mentions are matched against, as `rules_used` counts them."""
    for brand in rules.brands:
        yield f"{brand.id}.match"
        if brand.own_accounts:
            yield f"{brand.id}.own_accounts"
        if brand.exclude:
            yield f"{brand.id}.exclude"
    yield from (f"issue:{issue.id}" for issue in rules.issues)


def _scored(heard: _Heard, match: BrandMatch, sentiment: Sentiment) -> ScoredMention:
    mention = heard.mention
    return ScoredMention(
        brand=match.brand,
        origin=heard.origin,
        id=mention.id,
        source=mention.source,
        observed_at=mention.observed_at,
        op="update" if mention.op == "update" else "create",
        channel=mention.channel,
        revision=mention.revision,
        author_role=match.role,
        issues=match.issues,
        sentiment=sentiment,
        late=heard.late,
        text=mention.text or "",
        title=mention.title,
        lang=mention.lang,
        author_id=mention.author_id,
        author_name=mention.author_name,
        author_followers=mention.author_followers,
        author_created_at=mention.author_created_at,
        posted_at=mention.posted_at,
        ingested_at=mention.ingested_at,
        url=mention.url,
        in_reply_to=mention.in_reply_to,
        root=mention.root,
        place=mention.place,
        direction=mention.direction,
        rules_version=heard.rules,
        hits=match.hits,
    )
