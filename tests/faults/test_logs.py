"""Logs that change under us: raw deleted and made anew, or expired before it was read."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.request import urlopen

import msgspec
import pytest
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import BrokerResponseError

from agents.cli.localkafka import free_port
from streams.broker import create_topics
from streams.core.books import BOOKS_KEY, Books
from streams.records import Mention, encode
from streams.topics import RAW
from tests.faults.harness import Flow, new_story, until
from tests.faults.oracle import Said

if TYPE_CHECKING:
    from tests.faults.harness import Process

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

MENTIONS = 600
ENDS_WITHIN_S = 60
COMMAND = "groundswell topics new-epoch"


@pytest.mark.long
@pytest.mark.parametrize("when", ["while no worker runs", "while it runs"])
async def test_a_raw_log_made_anew_is_refused_until_a_new_epoch_begins_and_then_counts_go_on(
    kafka, prefix, tmp_path, say, when
):
    story = new_story(seed=31)
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a")
        await flow.publish(story.go_on(MENTIONS))
        await flow.settled()
        if when == "while it runs":
            await replace_raw(flow)
        else:
            await flow.stop(worker)
            await replace_raw(flow)
            worker = flow.start_worker("a")
        await flow.publish(story.go_on(MENTIONS))
        refused = await last_line(flow, worker)
        code, said = await new_epoch(flow)
        flow.start_worker("a")
        flow.start_worker("b")
        await flow.shared()
        await flow.settled()
        await flow.publish(story.go_on(MENTIONS))
        await flow.settled()
        verdict = await flow.verdict()
        audited, accounts = await groundswell(flow, "audit")
    say(f"replaced {when}: {refused!r}; {verdict}")
    assert COMMAND in refused
    assert RAW.full_name(flow.settings) in refused
    assert code == 0, said
    assert said.splitlines() == [
        f"{RAW.full_name(flow.settings)}-{partition}: epoch 1 begins at offset 0" for partition in range(4)
    ]
    assert not verdict.wrong
    assert audited == 0, accounts


@pytest.mark.long
async def test_a_new_log_that_has_outgrown_the_old_one_while_no_worker_ran_is_noticed_all_the_same(
    kafka, prefix, tmp_path, say
):
    story = new_story(seed=32)
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a")
        await flow.publish(story.go_on(200))
        await flow.settled()
        await flow.stop(worker)
        await replace_raw(flow)
        await flow.publish(story.go_on(800))
        refused = await last_line(flow, flow.start_worker("a"))
        await new_epoch(flow)
        flow.start_worker("a")
        await flow.settled()
        verdict = await flow.verdict()
    say(f"{refused!r}; {verdict}")
    assert "holds another record at offset" in refused
    assert COMMAND in refused
    assert not verdict.wrong


async def last_line(flow: Flow, worker: Process) -> str:
    """It ends by itself, non-zero, in good time."""
    assert await worker.ended(ENDS_WITHIN_S) == 1
    flow.given_up(worker)
    return worker.words.splitlines()[-1]


async def replace_raw(flow: Flow) -> None:
    """Delete the topic and make it anew, as somebody does by mistake."""
    topic = RAW.full_name(flow.settings)
    await flow.eyes.admin.delete_topics([topic])

    async def it_is_gone() -> bool:
        return topic not in await flow.eyes.admin.list_topics()

    await until("the topic is gone", it_is_gone, 20)
    await create_topics(flow.settings)

    async def it_takes_records() -> bool:
        try:
            return not any((await flow.eyes.ends(topic)).values())
        except BrokerResponseError:
            return False

    await until("the new topic takes records", it_takes_records, 20)
    flow.epoch += 1


async def new_epoch(flow: Flow) -> tuple[int | None, str]:
    """Run the command that the message names, as a person does."""

    async def nobody_is_in_the_group() -> bool:
        return await flow.eyes.members(flow.group) == 0

    await until("the group is empty", nobody_is_in_the_group, 30)
    return await groundswell(flow, "topics", "new-epoch", "--yes")


async def groundswell(flow: Flow, *arguments: str) -> tuple[int | None, str]:
    """Run a command; return its exit code and what it said."""
    settings = flow.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agents.cli", "--kafka", settings.kafka_bootstrap, *arguments),
        env={"GROUNDSWELL_TOPIC_PREFIX": settings.topic_prefix, "PATH": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


# -- expired -----------------------------------------------------------------------------------------


@pytest.mark.long
async def test_records_that_expired_before_they_were_read_are_counted_and_the_rest_is_exact(
    kafka, prefix, tmp_path, say
):
    """For a worker that was down meanwhile, and for one that had never read."""
    story, port = new_story(seed=33), free_port()
    async with Flow(kafka, prefix, tmp_path, http_port=port) as flow:
        never = await expire(flow)
        await flow.publish(story.go_on(300))
        worker = flow.start_worker("a")
        await flow.settled()
        assert await missing_by_metrics(port) == never
        await flow.stop(worker)

        down = await expire(flow)
        await flow.publish(story.go_on(300))
        worker = flow.start_worker("a")
        await flow.settled()
        assert await missing_by_metrics(port) == down

        verdict = await flow.verdict()
        words = worker.words
    say(f"{never} expired before the first start, {down} while it was down: {verdict}")
    assert "expired before they were read" in words
    assert not verdict.wrong


@pytest.mark.long
async def test_records_that_expire_while_a_worker_is_slow_are_counted_and_the_rest_is_exact(
    kafka, prefix, tmp_path, say
):
    """What it had in its hands when it was frozen is heard; so received and missing add up to all that was published."""
    story, port = new_story(seed=35), free_port()
    async with Flow(kafka, prefix, tmp_path, http_port=port, session_timeout_s=20) as flow:
        worker = flow.start_worker("a")
        await flow.publish(story.go_on(300))
        await flow.settled()
        worker.freeze()
        await flow.publish(gossip(0, 400))
        await flow.publish(gossip(400, 800))
        await delete_all(flow)
        await flow.publish(story.go_on(300))
        worker.thaw()
        await flow.settled()
        missing, still_there = await missing_by_metrics(port), worker.exit_code is None
        verdict, standing = await flow.verdict(), await flow.standing()
    books = [msgspec.msgpack.decode(row, type=Books) for (_, key), row in standing.seen.items() if key == BOOKS_KEY]
    received = sum(sum(classes.values()) for one in books for classes in one.classes.values())
    say(f"{missing} of {len(flow.published)} expired, {received} were received: {verdict}")
    assert still_there
    assert missing >= 400
    assert received + missing == len(flow.published)
    assert (verdict.lost, verdict.count_error) == (0, 0)


def gossip(first: int, last: int) -> list[Said]:
    """What concerns nobody."""
    said = []
    for number in range(first, last):
        mention = Mention(id=f"gossip:{number}", source="crowd", observed_at=datetime.now(UTC), text="nothing")
        said.append(Said(mention.id.encode(), encode(mention), "unmatched"))
    return said


async def expire(flow: Flow) -> int:
    """Publish, and delete all of the log before anybody has read it, as retention does. Return how many records that were."""
    before = len(flow.published)
    await flow.publish(new_story(seed=34).go_on(300))
    gone = len(flow.published) - before
    del flow.published[before:]
    await delete_all(flow)
    return gone


async def delete_all(flow: Flow) -> None:
    """Move the log's start to its end."""
    ends = await flow.eyes.ends(RAW.full_name(flow.settings))
    await flow.eyes.admin.delete_records({tp: RecordsToDelete(end) for tp, end in ends.items()})


async def missing_by_metrics(port: int) -> int:
    """What the Prometheus endpoint says of raw."""
    page = await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
    found = re.search(r'^groundswell_records_missing_total\{topic="[^"]*mentions.raw"\} (\S+)$', page, re.MULTILINE)
    return int(float(found[1])) if found else 0
