"""Every kind of poison between good mentions: set aside once, as it came, and nothing else notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from streams.records import ON_SCORED, Mention, ScoredMention, encode
from streams.topics import DEAD_LETTERS, RAW, SCORED
from tests.core.test_parse import HEAD, POISON
from tests.faults.harness import Flow

pytestmark = pytest.mark.timeout(180)
MIB = 1024 * 1024


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
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a")
        await flow.shared()
        sent, good = [], []
        for number, (value, reason) in enumerate(wanted):
            for copy in range(10):
                mention = Mention(id=f"good:{number}.{copy}", source="good", observed_at=datetime.now(UTC), text="acme")
                good.append(mention.id)
                await flow.send(mention.id.encode(), encode(mention))
            where = await flow.send(b"x:1", value)
            sent.append((where.partition, where.offset, value, reason))
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
