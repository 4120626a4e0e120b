"""What must be true afterwards, computed from the input alone; and whether it is.

`Story` makes up the input and knows for each record which class intake must put it in and what it
must tell to whom. `judge` compares that with what stands on the broker.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents.detect import Detect
from streams.core.books import BOOKS_KEY, CLASSES, Books
from streams.core.versions import Versions
from streams.keyed import CLOCK_KEY
from streams.pages import LOG_KEY
from streams.records import ON_SCORED, Mark, Mention, Removal, ScoredMention, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from aiokafka.structs import ConsumerRecord

    from streams.settings import Settings

BRANDS = ("acme", "globex", "hooli", "initech", "umbra", "vandelay")
RULES = "ruleset: faults\nbrands:\n" + "".join(
    f"  - {{id: {brand}, role: own, match: {brand}, exclude: '\"{brand} street\"'}}\n" for brand in BRANDS
)
MOODS = ("I love my {} phone", "My {} phone is terrible, I hate it", "Bought a {} phone", "{} again #{}")
POISON = (b"", b"{", b"\xff\xfe\x00", b"null", b"[" * 20_000, b'{"id": "x:1"}', b'{"id": 7, "source": "x"}')
SURELY_LATE = timedelta(hours=1)
REPEATED = 20_000
"""Workers must remember more mentions than lie between one and its copy."""
LATE_AFTER = 500
"""Records said before a late one may come: by then every raw partition has heard of the present."""

Told = tuple[str, str, str]
"""Mention, brand, and the revision or why it is removed: what a record on mentions.scored is about, re-sent or not."""


class Said(NamedTuple):
    """One record of the input, and what must become of it. `brands` are those whose count it moves."""

    key: bytes
    value: bytes
    what: str
    brands: tuple[str, ...] = ()
    tells: tuple[Told, ...] = ()
    late: bool = False


class Story:
    """A seeded crowd: praise and complaint, gossip, copies, edits, deletions, and some rubbish."""

    def __init__(self, seed: int, now: datetime, repeated: int = REPEATED) -> None:
        """`repeated`: the latest so many may come again."""
        self._rng = random.Random(seed)
        self.now = now
        self._said = 0
        self._stands: dict[str, tuple[str, ...]] = {}
        self._to_repeat = deque[Said](maxlen=repeated)

    def go_on(self, count: int) -> Iterator[Said]:
        """Say `count` records, a millisecond apart."""
        kinds = (self._mention, self._gossip, self._street, self._copy, self._edit, self._deletion, self._rubbish)
        for _ in range(count):
            self._said += 1
            self.now += timedelta(milliseconds=1)
            (kind,) = self._rng.choices(kinds, weights=(60, 20, 5, 8, 3, 2, 1))
            yield kind() if self._stands and self._to_repeat else self._mention()

    def _mention(self) -> Said:
        brands = tuple(self._rng.sample(BRANDS, self._rng.choice((1, 1, 1, 2))))
        late = self._said > LATE_AFTER and self._rng.random() < 0.01
        mention = self._new(" and ".join(brands), self.now - SURELY_LATE * late)
        self._stands[mention.id] = brands
        told = tuple((mention.id, brand, "") for brand in brands)
        return self._repeatable(Said(mention.id.encode(), encode(mention), "matched", brands, told, late))

    def _gossip(self) -> Said:
        mention = self._new("nothing", self.now)
        return Said(mention.id.encode(), encode(mention), "unmatched")

    def _street(self) -> Said:
        mention = self._new(f"{self._rng.choice(BRANDS)} street", self.now)
        return Said(mention.id.encode(), encode(mention), "excluded")

    def _copy(self) -> Said:
        """The source delivers again what it has delivered, recently or long ago."""
        return self._rng.choice(self._to_repeat)._replace(what="duplicate", brands=(), tells=(), late=False)

    def _edit(self) -> Said:
        """A mention turns to other brands, or to none; those it leaves are told."""
        mention_id = self._rng.choice(list(self._stands)[-1000:])
        before, brands = self._stands[mention_id], tuple(self._rng.sample(BRANDS, self._rng.choice((0, 1, 1, 2))))
        revision = f"r{self._said}"
        mention = msgspec.structs.replace(
            self._new(" and ".join(brands) or "nothing", self.now), id=mention_id, op="update", revision=revision
        )
        left = tuple((mention_id, brand, "no_longer_matched") for brand in before if brand not in brands)
        told = tuple((mention_id, brand, revision) for brand in brands)
        if brands:
            self._stands[mention_id] = brands
        else:
            del self._stands[mention_id]
        edit = Said(mention_id.encode(), encode(mention), "matched" if brands else "unmatched", brands, left + told)
        return self._repeatable(edit)

    def _deletion(self) -> Said:
        mention_id = self._rng.choice(list(self._stands)[-1000:])
        gone = Mention(id=mention_id, source="crowd", observed_at=self.now, op="delete")
        told = tuple((mention_id, brand, "deleted") for brand in self._stands.pop(mention_id))
        return Said(mention_id.encode(), encode(gone), "control", tells=told)

    def _rubbish(self) -> Said:
        return Said(f"rubbish:{self._said}".encode(), self._rng.choice(POISON), "dead")

    def _new(self, about: str, at: datetime) -> Mention:
        text = self._rng.choice(MOODS).format(about, self._said)
        return Mention(id=f"crowd:{self._said}", source="crowd", observed_at=at, text=text, author_id=f"a{self._said}")

    def _repeatable(self, said: Said) -> Said:
        self._to_repeat.append(said)
        return said


class Published(NamedTuple):
    """One record of the input, and where the broker put it: `epoch` counts the raw topics that were there before this one."""

    said: Said
    partition: int
    offset: int
    epoch: int = 0


@dataclass(frozen=True)
class Standing:
    """What stands on the broker afterwards; the changelogs are their latest rows, by partition and key."""

    scored: Sequence[ConsumerRecord]
    dead_letters: Sequence[ConsumerRecord]
    seen: Mapping[tuple[int, bytes], bytes]
    brands: Mapping[tuple[int, bytes], bytes]
    settings: Settings


@dataclass(frozen=True)
class Verdict:
    """The figures. `wrong` holds a sentence for each promise that was broken, `first` the first record that is not accounted for."""

    published: int
    told: int
    resent: int
    lost: int
    count_error: int
    wrong: list[str]
    first: Published | None = None

    def __str__(self) -> str:
        return (
            f"{self.published:,} published, {self.told:,} told ({self.resent:,} of them again), "
            f"lost {self.lost}, count error {self.count_error}"
        )


def judge(published: Sequence[Published], standing: Standing) -> Verdict:
    """Compare what stands with what was published."""
    wanted = {told: one for one in published for told in one.said.tells}
    told = Counter(_tellings(standing.scored))
    lost = [f"{what} of {one.partition}@{one.offset}" for what, one in wanted.items() if what not in told]
    invented = [what for what in told if what not in wanted]
    miscounts, error = _miscounts([one.said for one in published], standing)
    checks = {
        "lost": lost,
        "told what nobody said": invented,
        "miscounted": miscounts,
        "misbooked": _misbookings(published, standing),
        "dead letters": _dead_letter_errors(published, standing.dead_letters),
    }
    wrong = [f"{name}: {len(found)}, such as {found[:3]}" for name, found in checks.items() if found]
    first = _first_missing(published, told, standing) if wrong else None
    return Verdict(len(published), told.total(), told.total() - len(told), len(lost), error, wrong, first)


def _first_missing(published: Sequence[Published], told: Counter[Told], standing: Standing) -> Published | None:
    """The first of which something was not told, or that some brand's row does not go as far as."""
    marks = _marks(standing)
    for one in published:
        at = (one.epoch, one.offset)
        if any(what not in told for what in one.said.tells):
            return one
        if any(marks.get(brand, {}).get(one.partition, (0, -1)) < at for brand in one.said.brands):
            return one
    return None


def _marks(standing: Standing) -> dict[str, dict[int, tuple[int, int]]]:
    """Up to where each brand's row has applied each raw partition, (epoch, offset)."""
    return {
        key.decode(): {lane: tuple(mark) for lane, mark in msgspec.msgpack.decode(row)[1].items()}
        for (_, key), row in standing.brands.items()
        if key not in (CLOCK_KEY, LOG_KEY)
    }


def path(one: Published, standing: Standing) -> Iterator[str]:
    """How far one record came: raw log, intake's books, what was told of it, and what its brands' rows have applied."""
    yield f"mentions.raw {one.partition}@{one.offset}: {one.said.key!r}, {one.said.what}, tells {list(one.said.tells)}"
    row = standing.seen.get((one.partition, BOOKS_KEY))
    books = msgspec.msgpack.decode(row, type=Books) if row else Books()
    yield f"intake's books: partition {one.partition} is handled up to {books.offset}"
    decode, found = msgspec.json.Decoder(ON_SCORED).decode, 0
    for record in standing.scored:
        told = decode(record.value)
        if not isinstance(told, Mark) and (told.origin.partition, told.origin.offset) == (one.partition, one.offset):
            found += 1
            yield f"mentions.scored {record.partition}@{record.offset}: told to {told.brand}"
    if not found:
        yield "mentions.scored: nothing of it"
    marks = _marks(standing)
    for brand in one.said.brands:
        mark = marks.get(brand, {}).get(one.partition)
        yield f"brands: the row of {brand} has applied up to {mark} (epoch and offset) of this raw partition"


def _tellings(scored: Iterable[ConsumerRecord]) -> Iterator[Told]:
    decode = msgspec.json.Decoder(ON_SCORED).decode
    for record in scored:
        match decode(record.value):
            case ScoredMention(id=mention, brand=brand, revision=revision):
                yield mention, brand, revision or ""
            case Removal(id=mention, brand=brand, why=why):
                yield str(mention), str(brand), why
            case Mark():
                pass


def _miscounts(said: Iterable[Said], standing: Standing) -> tuple[list[str], int]:
    """Each brand's row must have applied each of its mentions once, and have taken the late ones for late."""
    late, heard = Counter[str](), Counter[str]()
    for one in said:
        (late if one.late else heard).update(one.brands)
    states = {
        key.decode(): Detect(standing.settings, Versions(), partition).load(msgspec.msgpack.decode(row)[2])
        for (partition, key), row in standing.brands.items()
        if key not in (CLOCK_KEY, LOG_KEY)
    }
    wrong, error = [], 0
    for brand in sorted(heard.keys() | late.keys() | states.keys()):
        expected = heard[brand], late[brand]
        found = (states[brand].tally.applied, states[brand].tally.late) if brand in states else (0, 0)
        if found != expected:
            error += sum(abs(one - other) for one, other in zip(found, expected, strict=True))
            wrong.append(f"{brand}: {found} applied and late instead of {expected}")
    return wrong, error


def _misbookings(published: Sequence[Published], standing: Standing) -> list[str]:
    """Received = matched + unmatched + excluded + duplicate + dead + control, in each raw partition, to the record."""
    wrong = []
    for partition in sorted({one.partition for one in published}):
        here = [one for one in published if one.partition == partition]
        books = msgspec.msgpack.decode(standing.seen[partition, BOOKS_KEY], type=Books)
        found = sum((Counter(classes) for classes in books.classes.values()), Counter())
        expected = Counter(one.said.what for one in here)
        if any(found[what] != expected[what] for what in CLASSES):
            wrong.append(f"partition {partition}: {dict(found)} instead of {dict(expected)}")
        if (books.epoch, books.offset) != max((one.epoch, one.offset) for one in here):
            wrong.append(f"partition {partition}: handled up to {books.offset} of epoch {books.epoch}")
    return wrong


def _dead_letter_errors(published: Sequence[Published], dead_letters: Sequence[ConsumerRecord]) -> list[str]:
    """Each poison is set aside, with its original bytes, and nothing else is."""
    wanted = {(one.epoch, one.partition, one.offset): one.said for one in published if one.said.what == "dead"}
    wrong, found = [], set()
    for letter in (one for one in dead_letters if one.value is not None):
        headers = {name: value.decode() for name, value in letter.headers}
        where = tuple(int(headers[f"dlq.original-{name}"]) for name in ("epoch", "partition", "offset"))
        found.add(where)
        said = wanted.get(where)
        if said is None or (dict(letter.headers)["dlq.original-key"], letter.value) != (said.key, said.value):
            wrong.append(f"{where} holds {letter.value!r:.60}, which is not what was said there")
    return wrong + [f"{where} is missing" for where in wanted.keys() - found]


def beginning() -> datetime:
    """When stories begin: a little before now, as the broker refuses what comes from the future."""
    return datetime.now(UTC) - timedelta(minutes=5)
