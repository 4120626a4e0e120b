"""The same mentions and the same kills for Groundswell and for plain Faust: `python -m tests.faults.compare`.

Prints one run of each line of the README's table, in about a quarter of an hour. The README's lines are joined by
hand from several runs of this. Nothing is waited for without end.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from agents.cli.kafkajars import HOME
from agents.cli.localkafka import LocalKafka
from tests.faults import restarted
from tests.faults.contenders import KILLS, MENTIONS, PER_SECOND, Figures, Groundswell, NaiveFaust, killed, workload
from tests.faults.harness import Eyes, Flow

if TYPE_CHECKING:
    from tests.faults.restarted import Restarts

ROUNDS, MOST_ROUNDS = 30, 25
GUARANTEES = ("at_least_once", "exactly_once")


def line(name: str, figures: Figures, restarts: Restarts) -> str:
    """One row of the table."""
    lost = f"{figures.lost:,}" + ("" if figures.finished else " so far; offsets never committed to the end")
    kills = f"{lost} | {figures.told_again:,} | {figures.count_error:,}"
    return f"| {name} | {kills} | {restarts.skipped:,} of {restarts.messages:,} ({restarts.rounds} restarts) |"


async def groundswell(kafka: LocalKafka, folder: Path) -> str:
    """Measure ours."""
    async with Flow(kafka, "killed.", _new(folder / "killed")) as flow:
        figures = await killed(Groundswell(flow), workload(MENTIONS))
    restarts = await restarted.of_groundswell(kafka, "restarted.", _new(folder / "restarted"), ROUNDS)
    return line("Groundswell", figures, restarts)


async def faust(kafka: LocalKafka, folder: Path, guarantee: str) -> str:
    """Measure Faust's."""
    async with Eyes(kafka.bootstrap) as eyes:
        naive = await NaiveFaust.open(kafka, f"{guarantee}.", _new(folder / guarantee), eyes, guarantee)
        figures = await killed(naive, workload(MENTIONS))
    prefix, data = f"plain.{guarantee}.", _new(folder / f"plain-{guarantee}")
    restarts = await restarted.of_plain_faust(kafka, prefix, data, MOST_ROUNDS, guarantee)
    return line(f"plain Faust, `{guarantee}`", figures, restarts)


async def compare(folder: Path) -> None:
    """Measure all and print each as soon as it is known."""
    kafka = LocalKafka(_new(folder / "kafka"))
    kafka.start()
    try:
        await kafka.wait_ready()
        print(
            f"{MENTIONS:,} mentions at {PER_SECOND} a second, {KILLS} SIGKILLs; {datetime.now(UTC):%Y-%m-%d}, "
            f"Kafka {_kafka_version()}, faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')}\n"
        )
        print("| | lost | told again | count error | skipped in clean restarts |\n|---|---|---|---|---|")
        print(await groundswell(kafka, folder), flush=True)
        for guarantee in GUARANTEES:
            print(await faust(kafka, folder, guarantee), flush=True)
    finally:
        kafka.stop()


def _kafka_version() -> str:
    """Of the jars that were just started, kafka_<Scala>-<Kafka>.jar."""
    (server,) = (HOME / "libs").glob("kafka_*.jar")
    return server.stem.rpartition("-")[2]


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(compare(Path(home)))
