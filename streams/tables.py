"""The state: one line a table, and the one way to write a row.

A row is written to the changelog first, then, once that is acknowledged, to the local RocksDB,
together with the changelog offset. So the local copy is never ahead of the log, and a worker that
is killed in between recovers the difference from the changelog. (Faust's own `table[key] = value`
queues the changelog record and writes RocksDB at once.)
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import faust
import rocksdict

from streams.outbox import Out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from faust.types import TP, EventT

    from streams.outbox import Outbox
    from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Table:
    """One changelogged table: whose it is and which topic's partitions it follows."""

    name: str
    key: str
    value: str
    owner: str
    follows: str
    sized: Literal["raw", "keyed"] = "keyed"

    def partitions(self, settings: Settings) -> int:
        """As many as the topic that it follows."""
        return settings.raw_partitions if self.sized == "raw" else settings.keyed_partitions

    def full_name(self, settings: Settings) -> str:
        """The compacted topic that holds it: its changelog."""
        return f"{settings.group}-{self.name}-changelog"


# fmt: off
SEEN       = Table("seen",       key="first offset; books",    value="mentions remembered; the partition's books", owner="intake", follows="mentions.raw", sized="raw")
BRANDS     = Table("brands",     key="brand",                       value="figures, detectors' state, samples",         owner="detect", follows="mentions.scored")
INCIDENTS  = Table("incidents",  key="brand",                       value="the open alert, episodes applied",           owner="alerts", follows="spikes")
DELIVERIES = Table("deliveries", key="alert id and notifier",       value="newest step, attempt, next time",            owner="notify", follows="alerts")
# fmt: on

STATE = (SEEN, BRANDS, INCIDENTS, DELIVERIES)

Row = tuple[bytes, bytes | None]
"""Key and value; a value of None removes the row."""


WRITE_BUFFER_BYTES = 4 * 1024**2
BLOCK_CACHE_BYTES = 8 * 1024**2
"""Of each partition of each table. Faust's own, 64 MiB and 2 GiB, let a worker grow for hours: the same rows, again and again."""


class DiskError(Exception):
    """The data folder does not take what has to be kept there; the message names the folder and says what to do."""


class RowTable(faust.Table):
    """A Faust table of raw bytes: Faust assigns and recovers it, `write` is the only way to change it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        memory = {"write_buffer_size": WRITE_BUFFER_BYTES, "block_cache_size": BLOCK_CACHE_BYTES}
        super().__init__(*args, options=memory, **kwargs)
        self._left: set[int] = set()

    def rows(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every row of one partition, in the order of the keys."""
        store: Any = self.data
        for key, value in store._db_for_partition(partition).items():
            if key != store.offset_key:
                yield key, value

    def row(self, partition: int, key: bytes) -> bytes | None:
        """One row; None: there is none."""
        store: Any = self.data
        found: bytes | None = store._db_for_partition(partition).get(key)
        return found

    async def write(self, outbox: Outbox, partition: int, rows: Sequence[Row]) -> None:
        """Write rows, in order, and return once they are acknowledged and applied.

        Raises:
            NotDeliveredError: the changelog did not take them; the local copy is unchanged.
            DiskError: the changelog has them, the local copy has not; it gets them when the worker starts again.
        """
        end = await self._log(outbox, partition, rows)
        with self._on_disk():
            before = self._apply(partition, rows, end)
        if end >= 0 and end - len(rows) != before:
            # Somebody else wrote in between: a worker that was cut off, whose batches came through after it had lost
            # the partition. Ours must be the newest of every row, for whoever recovers from the changelog next.
            everything = sorted(self.rows(partition), key=lambda row: (row[0].startswith(b"\0"), row[0]))
            end = await self._log(outbox, partition, everything)
            with self._on_disk():
                self._apply(partition, (), end)

    def _apply(self, partition: int, rows: Sequence[Row], end: int) -> int:
        """Write rows to the local copy, and that it now holds the changelog up to `end`; return up to where it did before."""
        store: Any = self.data
        database = store._db_for_partition(partition)
        before = int(database.get(store.offset_key) or -1)
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in rows:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(store.offset_key, str(max(end, before)).encode())
        database.write(batch)
        return before

    async def scrub(self) -> None:
        """Rewrite the local copies, so that no file of theirs holds what was replaced.

        Copies of partitions that were somebody else's at the last call already are dropped: nobody keeps them up to date,
        and whoever gets one back reads the changelog.
        """
        store: Any = self.data
        for partition in range(self.partitions):
            async with store.db_lock:  # no partition changes hands meanwhile
                database = store._dbs.get(partition)
                if database is not None:
                    self._left.discard(partition)
                    with self._on_disk():
                        await asyncio.to_thread(_rewrite, database)
                elif partition in self._left:
                    shutil.rmtree(store.partition_path(partition), ignore_errors=True)
                else:
                    self._left.add(partition)

    async def _log(self, outbox: Outbox, partition: int, rows: Sequence[Row]) -> int:
        topic = self.changelog_topic_name
        return (await outbox.deliver(Out(topic, partition, key, value) for key, value in rows))[topic, partition]

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Open what is ours now, close what is not."""
        with self._on_disk():
            await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)

    def apply_changelog_batch(self, batch: Iterable[EventT]) -> None:
        """Take rows from the changelog. Faust would log an error and wait for ever for the recovery to end."""
        try:
            with self._on_disk():
                super().apply_changelog_batch(batch)
        except DiskError as error:
            app: Any = self.app
            self.add_future(app.give_up(error))
            raise

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if type(error) is not Exception and not isinstance(error, OSError):
                raise  # RocksDB raises nothing more special
            raise DiskError(
                f"the tables in {self.app.conf.datadir.resolve()} cannot be written ({error}). Make room there, or mend the "
                f"disk, and start the worker again: nothing is lost. A folder that is damaged may be deleted first."
            ) from error


def _rewrite(database: Any) -> None:
    """Blocks for some 10 ms a megabyte."""
    database.flush()  # and so begins a new write-ahead log
    everything = rocksdict.CompactOptions()
    everything.set_bottommost_level_compaction(rocksdict.BottommostLevelCompaction.force())
    database.compact_range(None, None, compact_opt=everything)
