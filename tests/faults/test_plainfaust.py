"""Why `streams/consumer.py` exists: what plain Faust does in the test that our workers pass."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from tests.faults.harness import Eyes, Process, comes_true

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

PARTITIONS = 4
WAITING = 400
MOST_ROUNDS = 25
"""About two restarts in five skip something, so as many in a row that do not are no chance."""
PATIENCE_S = 8
"""More than a worker takes that does its work; one that has lost something may never commit the rest."""


async def test_plain_faust_skips_what_waited_while_it_was_restarted(kafka, prefix, tmp_path, say):
    asked, group = f"{prefix}asked", f"{prefix}app"
    questions: dict[bytes, tuple[int, int]] = {}

    async def ask(count: int) -> None:
        new = [b"%d" % number for number in range(len(questions), len(questions) + count)]
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, enable_idempotence=True) as producer:
            sent = [await producer.send(asked, question, partition=int(question) % PARTITIONS) for question in new]
            for question, one in zip(new, sent, strict=True):
                where = await one
                questions[question] = where.partition, where.offset

    async with Eyes(kafka.bootstrap) as eyes:
        await eyes.create(asked, f"{prefix}answered", partitions=PARTITIONS)

        async def skipped() -> int:
            committed = {
                tp.partition: offset for tp, offset in (await eyes.committed(group)).items() if tp.topic == asked
            }
            answered = {record.value for record in await eyes.read(f"{prefix}answered")}
            return sum(
                offset < committed.get(partition, 0)
                for question, (partition, offset) in questions.items()
                if question not in answered
            )

        for rounds in range(1, MOST_ROUNDS + 1):
            await ask(WAITING)
            ends = await eyes.ends(asked)

            async def all_is_committed(ends=ends) -> bool:
                return await eyes.behind(group, ends) == 0

            command = ["faust", "-A", "tests.faults.plainfaust", "--datadir", str(tmp_path), "worker", "--without-web"]
            worker = Process(
                "plain", rounds, command, {"PLAIN_BROKER": kafka.bootstrap, "PLAIN_PREFIX": prefix}, tmp_path
            )
            try:
                await comes_true(all_is_committed, PATIENCE_S)
                await worker.stop()
            finally:
                await worker.kill()
            if lost := await skipped():
                break
    say(f"plain Faust: {lost} of {len(questions)} messages skipped, in restart {rounds}")
    assert lost, "plain Faust no longer loses: reconsider streams/consumer.py"
