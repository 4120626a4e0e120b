"""A worker that kills itself, or loses a batch, at one point of the order of writes.

GROUNDSWELL_DOOM says where, in which topic or table, and at the how-manieth time: `logged brands 3`. Otherwise
it is the command line: `python -m tests.faults.doomed worker ...`.

Where it dies in the middle of a delivery to several partitions, the first half of them has got theirs.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaTimeoutError
from faust.stores.rocksdb import Store

from agents.cli import main
from streams import outbox
from streams.ledger import Ledger
from streams.outbox import Outbox
from streams.tables import RowTable

if TYPE_CHECKING:
    from collections.abc import Callable

"""Where it dies: in the middle of delivering outputs, after it, in the middle of the rows, after they are acknowledged,
after they are in RocksDB, after the offset is released for the commit."""

SECOND_VERSION = b'"number":2}'
"""How a RulesChanged ends that tells of it."""

POINT, WHERE, TIMES = os.environ.get("GROUNDSWELL_DOOM", "told seen 1").split()
left = int(TIMES)


def is_time(where: str) -> bool:
    """Count a visit of the place; True from the one on that was chosen."""
    global left  # noqa: PLW0603  one process, one doom
    left -= where == WHERE
    return where == WHERE and left <= 0


def die() -> None:
    """No last words."""
    os.kill(os.getpid(), signal.SIGKILL)


def half_told(deliver: Callable) -> Callable:
    async def doomed(self, outs):
        outs = list(outs)
        targets = sorted({(out.topic, out.partition) for out in outs})
        if len(targets) > 1 and targets[-1][0].endswith(WHERE) and is_time(WHERE):
            await deliver(self, [out for out in outs if (out.topic, out.partition) in targets[: len(targets) // 2]])
            die()
        return await deliver(self, outs)

    return doomed


def turned(deliver: Callable) -> Callable:
    """It dies when it has told a topic of the second version of the rules, and of what it judged by it."""

    async def doomed(self, outs):
        outs = list(outs)
        ends = await deliver(self, outs)
        turns = [out for out in outs if out.topic.endswith(WHERE) and SECOND_VERSION in (out.value or b"")]
        if turns and is_time(WHERE):
            die()
        return ends

    return doomed


def told(write: Callable) -> Callable:
    async def doomed(self, *args):
        if is_time(self.name):
            die()
        await write(self, *args)

    return doomed


def half_logged(log: Callable) -> Callable:
    async def doomed(self, outbox, partition, rows):
        if len(rows) > 2 and is_time(self.name):
            await log(self, outbox, partition, rows[: len(rows) // 2])
            die()
        return await log(self, outbox, partition, rows)

    return doomed


def logged(log: Callable) -> Callable:
    async def doomed(self, *args):
        end = await log(self, *args)
        if is_time(self.name):
            die()
        return end

    return doomed


def stored(write: Callable) -> Callable:
    async def doomed(self, *args):
        await write(self, *args)
        if is_time(self.name):
            die()

    return doomed


def released(write_down: Callable) -> Callable:
    async def doomed(self, page, **how):
        before = self._consumer.released.get(page.tp)
        await write_down(self, page, **how)
        if self._consumer.released.get(page.tp) != before and is_time(self._table.name):
            die()

    return doomed


def failing(send: Callable) -> Callable:
    """The n-th delivery to a topic's first partition is lost, and the producer says so; the process lives on."""

    async def doomed(self, topic, partition, outs):
        if topic.endswith(WHERE) and partition == 0 and left > 0 and is_time(WHERE):
            raise KafkaTimeoutError
        return await send(self, topic, partition, outs)

    return doomed


def alone(send: Callable) -> Callable:
    """Nothing dies: two unacknowledged batches for one partition are an error. Batches are small, so that there are many."""
    under_way: set[tuple[str, int]] = set()
    outbox.BATCH_BYTES = 4_000

    async def watched(producer, batch, topic, partition):
        if (topic, partition) in under_way:
            raise AssertionError(f"{topic}-{partition}: a batch is sent before the last one is acknowledged")
        under_way.add((topic, partition))
        try:
            return await send(producer, batch, topic, partition)
        finally:
            under_way.discard((topic, partition))

    return watched


def fill(ballast: Path) -> None:
    """Take all the room that is left where `ballast` is."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def recovering(apply: Callable) -> Callable:
    """The disk is full when the first rows arrive from the changelog; WHERE names the ballast."""

    def doomed(self, *args, **kwargs):
        fill(Path(WHERE))
        apply(self, *args, **kwargs)

    return doomed


PATCHES = {
    "half-told": (Outbox, "deliver", half_told),
    "turned": (Outbox, "deliver", turned),
    "told": (RowTable, "write", told),
    "half-logged": (RowTable, "_log", half_logged),
    "logged": (RowTable, "_log", logged),
    "stored": (RowTable, "write", stored),
    "released": (Ledger, "_write_down", released),
    "failing": (Outbox, "_send_all", failing),
    "alone": (outbox, "_send", alone),
    "recovering": (Store, "apply_changelog_batch", recovering),
}

if __name__ == "__main__":
    owner, method, doom = PATCHES[POINT]
    setattr(owner, method, doom(getattr(owner, method)))
    main()
