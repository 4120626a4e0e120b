"""Every kind of poison between good mentions: set aside once, as it came, and nothing else notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from streams.records import ON_SCORED, Mention, ScoredMention, encode
from streams.topics import DEAD_LETTERS, RAW, SCORED
from tests.core.test_parse import HEAD, POISON
from tests.faults import inputs
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow
from tests.faults.oracle import Said

pytestmark = pytest.mark.timeout(180)
MIB = 1024 * 1024
PER_SECOND, SECONDS = 300, 10
POISON_EVERY = 20
"""One record in so many. A worker stops where most of what it hears is rejected."""
GOOD, BAD = 100, 2_500
BUNDLE_RECORDS = 50
ENDS_WITHIN_S = 60
NO_STALL_S = 1.0
"""Nothing is told for so long although something waits, on a machine that is not itself slower than that."""


def far_future() -> bytes:
    return encode(Mention(id="x:1", source="x", observed_at=datetime.now(UTC) + timedelta(days=400), text="acme"))


def poison() -> list[tuple[bytes | None, str]]:
    kinds = [kind for kind in POISON.values() if kind[0] is not None]
    too_much = HEAD + b',"text":"acme ' + b"x" * MIB + b'"}'
    return [*kinds, (far_future(), "time_future"), (too_much, "too_large"), (None, "empty")]


async def test_poison_is_set_aside_once_with_its_bytes_and_reason_while_all_good_mentions_are_told(
    kafka, prefix, tmp_path
):
    wanted = poison()
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
        worker = flow.start_worker("a")
        await flow.shared()
        sent, good = [], []
        for number, (value, reason) in enumerate(wanted):
            for copy in range(10):
                mention = Mention(id=f"good:{number}.{copy}", source="good", observed_at=datetime.now(UTC), text="acme")
                good.append(mention.id)
                await flow.send(mention.id.encode(), encode(mention))
            where = await flow.send(b"x:1", value)
            sent.append((where.partition, where.offset, value or b"", reason))
        await flow.settled()
        dead = await flow.eyes.read(DEAD_LETTERS.full_name(flow.settings))
        scored = await flow.eyes.read(SCORED.full_name(flow.settings))
        received = sum((await flow.eyes.ends(RAW.full_name(flow.settings))).values())

        assert worker.exit_code is None
    found = []
    for record in dead:
        headers = {name: value.decode() for name, value in record.headers}
        origin = int(headers["dlq.original-partition"]), int(headers["dlq.original-offset"])
        found.append((*origin, record.value, headers["dlq.reason"]))
        assert headers["dlq.detail"]
    assert sorted(found, key=lambda one: one[:2]) == sorted(sent, key=lambda one: one[:2])

    told = [msgspec.json.decode(record.value, type=ON_SCORED) for record in scored]
    assert sorted(one.id for one in told if isinstance(one, ScoredMention)) == sorted(good)
    assert received == len(good) + len(wanted)


def under_load(about: str, kinds: list[bytes]) -> list[Said]:
    """Good mentions at an even pace, and between them, in turn, these kinds of poison."""
    began, story = datetime.now(UTC), []
    for number in range(SECONDS * PER_SECOND):
        at, mention_id = began + timedelta(seconds=number / PER_SECOND), f"{about}:{number}"
        if kinds and number % POISON_EVERY == 0:
            story.append(Said(b"x:1", kinds[number // POISON_EVERY % len(kinds)], "dead"))
        else:
            mention = Mention(id=mention_id, source="good", observed_at=at, text="acme")
            tells = ((mention_id, "acme", ""),)
            story.append(Said(mention_id.encode(), encode(mention), "matched", ("acme",), tells))
    return story


async def longest_stall_s(flow: Flow, about: str) -> float:
    """For how long, at most, nothing of a partition was told although something of it waited."""
    raw = await flow.eyes.read(RAW.full_name(flow.settings))
    appended_ms = {(record.partition, record.offset): record.timestamp for record in raw}
    told: dict[int, list[tuple[int, int]]] = {}
    for record in await flow.eyes.read(SCORED.full_name(flow.settings)):
        one = msgspec.json.decode(record.value, type=ON_SCORED)
        if isinstance(one, ScoredMention) and one.id.startswith(about):
            waits_since_ms = appended_ms[one.origin.partition, one.origin.offset]
            told.setdefault(one.origin.partition, []).append((record.timestamp, waits_since_ms))
    return max(
        (told_ms - max(before_ms, waits_since_ms)) / 1000
        for times in told.values()
        for (before_ms, _), (told_ms, waits_since_ms) in pairwise(sorted(times))
    )


@pytest.mark.long
@pytest.mark.faults
async def test_poison_under_load_costs_no_good_mention_restarts_nobody_and_stalls_nothing(kafka, prefix, tmp_path, say):
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a", module="tests.faults.talkative")
        await flow.publish(inputs.gossip(flow.settings.raw_partitions, datetime.now(UTC)))
        await flow.settled()  # it is at work
        await flow.publish(under_load("before", []), PER_SECOND)
        await flow.publish(under_load("poisoned", [value for value, _ in poison() if value]), PER_SECOND)
        await flow.settled()
        verdict = await flow.verdict()
        before_s, poisoned_s = [await longest_stall_s(flow, about) for about in ("before", "poisoned")]
        assert worker.exit_code is None
        words = worker.words
    say(
        f"poison, one record in {POISON_EVERY}: {verdict}; longest stall {poisoned_s:.2f} s ({before_s:.2f} s before it)"
    )
    assert not verdict.wrong
    assert "Traceback" not in words  # nor of an agent, which Faust would start again
    assert words.count("Joined group") == 1
    assert poisoned_s < max(NO_STALL_S, 2 * before_s)


@pytest.mark.faults
@pytest.mark.long
async def test_a_worker_that_cannot_read_most_of_its_input_stops_again_and_again_at_the_same_place(
    kafka, prefix, tmp_path, say
):
    bad = [Said(b"x:1", b"{", "dead")] * BAD
    async with Flow(kafka, prefix, tmp_path, raw_partitions=1, bundle_records=BUNDLE_RECORDS) as flow:
        worker = flow.start_worker("a")
        await flow.publish(under_load("good", [])[:GOOD])
        await flow.settled()
        await flow.stop(worker)
        await flow.publish(bad)
        last_words, left_at = [], [await flow.eyes.committed(flow.group)]
        for _ in range(2):
            worker = flow.start_worker("a", checkpoint_s=30)
            assert await worker.ended(ENDS_WITHIN_S) == 1
            flow.given_up(worker)
            last_words.append(worker.words.splitlines()[-1])
            left_at.append(await flow.eyes.committed(flow.group))
        letters = await flow.eyes.read(DEAD_LETTERS.full_name(flow.settings))
        drained = {record.key for record in letters if record.value == b"{"}
        flow.start_worker("a", dead_letter_share=1)  # as the last words say
        await flow.settled()
        verdict = await flow.verdict()
    say(f"{BAD:,} bad records: {len(drained)} set aside, then {last_words[0]!r}; set aside after all: {verdict}")
    assert "cannot be read, the latest at offset" in last_words[0]
    assert last_words[0] == last_words[1]
    assert left_at[0] == left_at[1] == left_at[2]
    assert 0 < len(drained) <= flow.settings.dead_letter_window
    assert not verdict.wrong
