"""Clean restarts with messages waiting: what plain Faust skips, and what Groundswell does in the same test."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from aiokafka import AIOKafkaProducer

from tests.faults.contenders import visible
from tests.faults.harness import Eyes, Flow, Process, comes_true, new_story

if TYPE_CHECKING:
    from pathlib import Path

    from agents.cli.localkafka import LocalKafka

PARTITIONS = 4
WAITING = 400
PATIENCE_S = 8
"""More than a worker takes that does its work; one that has lost something may never commit the rest."""


class Restarts(NamedTuple):
    """How often a worker was restarted, how many messages waited for it in all, and how many of them it skipped."""

    rounds: int
    messages: int
    skipped: int


async def of_plain_faust(
    kafka: LocalKafka, prefix: str, folder: Path, most: int, guarantee: str = "at_least_once"
) -> Restarts:
    """Restart `tests/faults/plainfaust.py` until it has skipped something, at most so many times."""
    asked, answered, group = f"{prefix}asked", f"{prefix}answered", f"{prefix}app"
    questions: dict[bytes, tuple[int, int]] = {}

    async def ask(count: int) -> None:
        new = [b"%d" % number for number in range(len(questions), len(questions) + count)]
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True) as producer:
            sent = [await producer.send(asked, question, partition=int(question) % PARTITIONS) for question in new]
            for question, one in zip(new, sent, strict=True):
                where = await one
                questions[question] = where.partition, where.offset

    async with Eyes(kafka.bootstrap) as eyes:
        await eyes.create(asked, answered, partitions=PARTITIONS)

        async def skipped() -> int:
            committed = {
                tp.partition: offset for tp, offset in (await eyes.committed(group)).items() if tp.topic == asked
            }
            found = {value for _, value in await visible(kafka.bootstrap, answered, guarantee)}
            return sum(
                offset < committed.get(partition, 0)
                for question, (partition, offset) in questions.items()
                if question not in found
            )

        for rounds in range(1, most + 1):
            await ask(WAITING)
            ends = await eyes.ends(asked)

            async def all_is_committed(ends=ends) -> bool:
                return await eyes.behind(group, ends) == 0

            command = ["faust", "-A", "tests.faults.plainfaust", "--datadir", str(folder), "worker", "--without-web"]
            environment = {"PLAIN_BROKER": kafka.bootstrap, "PLAIN_PREFIX": prefix, "PLAIN_GUARANTEE": guarantee}
            worker = Process("plain", rounds, command, environment, folder)
            try:
                await comes_true(all_is_committed, PATIENCE_S)
                with suppress(AssertionError, subprocess.TimeoutExpired):  # how it ends is not the question
                    await worker.stop()
            finally:
                await worker.kill()
            if lost := await skipped():
                break
    return Restarts(rounds, len(questions), lost)


async def of_groundswell(kafka: LocalKafka, prefix: str, folder: Path, rounds: int) -> Restarts:
    """Restart a worker of ours so many times, whatever happens."""
    story = new_story(seed=2)
    async with Flow(kafka, prefix, folder) as flow:
        for _ in range(rounds):
            await flow.publish(story.go_on(WAITING))
            worker = flow.start_worker("a")
            await flow.settled()
            await flow.stop(worker)
        verdict = await flow.verdict()
    return Restarts(rounds, len(flow.published), verdict.lost)
