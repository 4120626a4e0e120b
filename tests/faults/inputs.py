"""Input as sources really deliver it, each record with what must become of it: repeated, shuffled, late, early, removed."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.partitioner import murmur2
from msgspec import structs

from streams.records import Mention, encode
from tests.faults.oracle import BRANDS, Said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MOODS = ("I love my {} phone", "My {} phone is terrible, I hate it", "Bought a {} phone")
MOMENT = timedelta(milliseconds=1)


def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def keys_by_partition(partitions: int, about: str) -> list[bytes]:
    """One key for each partition."""
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < partitions:
        key = f"{about}:{number}".encode()
        found.setdefault(partition_of(key, partitions), key)
        number += 1
    return [found[partition] for partition in range(partitions)]


def _about(mention_id: str, brands: tuple[str, ...], at: datetime, mood: str = MOODS[2]) -> Mention:
    text = mood.format(" and ".join(brands) or "nothing")
    return Mention(id=mention_id, source="inputs", observed_at=at, text=text, author_id=f"by:{mention_id}")


def _matched(mention: Mention, brands: tuple[str, ...], *, late: bool = False) -> Said:
    tells = tuple((mention.id, brand, mention.revision or "") for brand in brands)
    return Said(mention.id.encode(), encode(mention), "matched", brands, tells, late)


def in_order(seed: int, count: int, since: datetime, until: datetime) -> Iterator[Said]:
    """Mentions spread evenly over a stretch of time."""
    rng = random.Random(seed)
    for number in range(count):
        brands = tuple(rng.sample(BRANDS, rng.choice((1, 1, 2))))
        at = since + (until - since) * number / count
        yield _matched(_about(f"in-order:{seed}.{number}", brands, at, rng.choice(MOODS)), brands)


def repeated(seed: int, mentions: int, since: datetime) -> list[Said]:
    """Each mention 2 to 5 times, a third of them edited, and the edit as often; all shuffled. Each copy was received anew."""
    rng = random.Random(seed)
    deliveries: list[tuple[Mention, tuple[str, ...]]] = []
    for number in range(mentions):
        brands, at = tuple(rng.sample(BRANDS, rng.choice((1, 1, 2)))), since + number * MOMENT
        said = [_about(f"repeated:{number}", brands, at, rng.choice(MOODS))]
        if number % 3 == 0:
            edit = _about(f"repeated:{number}", brands, at + MOMENT, rng.choice(MOODS))
            said.append(_with(edit, op="update", revision="r2"))
        deliveries += [(one, brands) for one in said for _ in range(rng.randint(2, 5))]
    rng.shuffle(deliveries)
    heard, story = set(), []
    for number, (mention, brands) in enumerate(deliveries):
        received = _with(mention, ingested_at=since + timedelta(minutes=1) + number * MOMENT)
        said = _matched(received, brands)
        if (mention.id, mention.op) in heard:
            said = said._replace(what="duplicate", brands=(), tells=())
        heard.add((mention.id, mention.op))
        story.append(said)
    return story


OFFSETS_S = (0, -300, -600, -810, -1200, -2400, 120, 180, 360, 3600)
"""Of observed_at, against now. None is nearer than half a minute to where the answer changes, whatever came before it."""


def out_of_time(seed: int, count: int, now: datetime, *, partitions: int, lateness_s: int, future_s: int) -> list[Said]:
    """Mentions in time, late and early by more and by less than is allowed. Late is late against its own partition's time."""
    rng, highest, story = random.Random(seed), dict.fromkeys(range(partitions), 0), []
    for number in range(count):
        brands = tuple(rng.sample(BRANDS, rng.choice((1, 1, 2))))
        offset_s = rng.choice(OFFSETS_S) if number > 20 * partitions and rng.random() < 0.5 else 0
        mention = _about(f"out-of-time:{number}", brands, now + timedelta(seconds=offset_s), rng.choice(MOODS))
        partition = partition_of(mention.id.encode(), partitions)
        if offset_s > future_s:
            story.append(Said(mention.id.encode(), encode(mention), "dead"))
            continue
        highest[partition] = max(highest[partition], offset_s)
        story.append(_matched(mention, brands, late=highest[partition] - offset_s > lateness_s))
    return story


def gossip(partitions: int, at: datetime) -> list[Said]:
    """A word about nobody in each partition: time goes on to `at`."""
    keys = keys_by_partition(partitions, f"gossip-{at.timestamp()}")
    return [Said(key, encode(_about(key.decode(), (), at)), "unmatched") for key in keys]


ELSEWHERE = "elsewhere"
LATE_BY = timedelta(minutes=40)


class Life(NamedTuple):
    """One mention of a brand of its own, told (C), edited (U), deleted (D), its author's account removed (A), in this order.

    `kind` says what the edit does, or that all that follows the mention comes late.
    """

    brand: str
    kind: str
    steps: str


def lives(most_steps: int = 4) -> list[Life]:
    """Every order of up to so many steps, copies included, in which nothing is edited before it was told."""
    orders = ["".join(steps) for n in range(1, most_steps + 1) for steps in product("CUDA", repeat=n)]
    told_first = [steps for steps in orders if "U" not in steps or -1 < steps.find("C") < steps.find("U")]
    return [
        Life(f"{kind}{number:03}", kind, steps)
        for number, steps in enumerate(told_first)
        for kind in ("reworded", "turned", "late")
        if kind != "late" or steps.startswith("C")
    ]


class Lived(NamedTuple):
    """A life as input, step by step (a removal is a record in each partition), and the text that may be shown in the end."""

    steps: list[list[Said]]
    shown: str | None


def tell(life: Life, at: datetime, removal_keys: list[bytes]) -> Lived:
    """Each step is witnessed a millisecond after the one before it in C, U, D, A, whenever it is delivered.

    So whatever is first heard of once it is deleted, or its author gone, was witnessed before that, and must stay unheard.
    """
    goes_to = {"C": life.brand, "U": ELSEWHERE if life.kind == "turned" else life.brand}
    first = _about(f"life:{life.brand}", (goes_to["C"],), at)
    edit = _with(_about(first.id, (goes_to["U"],), at + MOMENT, MOODS[1]), op="update", revision="r2")
    mentions = {"C": first, "U": edit}
    deletion = Mention(id=first.id, source="inputs", observed_at=at + 2 * MOMENT, op="delete")
    steps, heard, gone, shown = [], "", False, None
    for step in life.steps:
        if step in mentions and (step in heard or gone):
            steps.append([Said(first.id.encode(), encode(mentions[step]), "duplicate")])
        elif step in mentions:
            said = _matched(mentions[step], (goes_to[step],), late=step == "U" and life.kind == "late")
            left = step == "U" and life.kind == "turned"
            leaves = ((first.id, life.brand, "no_longer_matched"),) if left else ()
            steps.append([said._replace(tells=leaves + said.tells)])
            heard += step
            shown = None if left else mentions[step].text
        elif step == "D":
            tells = ((first.id, goes_to[heard[-1]] if heard else "None", "deleted"),)
            steps.append([Said(first.id.encode(), encode(deletion), "control", tells=tells)])
        else:
            tells = tuple(("None", brand, "account_removed") for brand in sorted({goes_to[one] for one in heard}))
            removals = [(key, _removal(key, first.author_id, at + 3 * MOMENT)) for key in removal_keys]
            steps.append([Said(key, encode(removal), "control", tells=tells) for key, removal in removals])
        if step in "DA":
            gone, shown = True, None
    return Lived(steps, shown)


def at_once(seed: int, stories: list[list[list[Said]]]) -> Iterator[Said]:
    """Tell many lives at once, each in its own order."""
    rng, going = random.Random(seed), [iter(steps) for steps in stories]
    turns = [number for number, steps in enumerate(stories) for _ in steps]
    rng.shuffle(turns)
    for number in turns:
        yield from next(going[number])


def _removal(key: bytes, author: str | None, at: datetime) -> Mention:
    return Mention(id=key.decode(), source="inputs", observed_at=at, op="account_removed", author_id=author)


def _with(mention: Mention, **changes: object) -> Mention:
    return structs.replace(mention, **changes)
