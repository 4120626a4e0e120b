"""The state: one line a table, and the one way to write a row.

A row is written to the changelog first, then, once that is acknowledged, to the local RocksDB,
together with the changelog offset. So the local copy is never ahead of the log, and a worker that
is killed in between recovers the difference from the changelog. (Faust's own `table[key] = value`
queues the changelog record and writes RocksDB at once.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import faust
import rocksdict

from streams.outbox import Out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
        return f"{settings.topic_prefix}{settings.app_id}-{self.name}-changelog"


# fmt: off
SEEN       = Table("seen",       key="first offset, or 'books'",    value="mentions remembered; the partition's books", owner="intake", follows="mentions.raw", sized="raw")
BRANDS     = Table("brands",     key="brand",                       value="figures, detectors' state, samples",         owner="detect", follows="mentions.scored")
INCIDENTS  = Table("incidents",  key="brand",                       value="the open alert, episodes applied",           owner="alerts", follows="spikes")
DELIVERIES = Table("deliveries", key="alert id and notifier",       value="newest step, attempt, next time",            owner="notify", follows="alerts")
# fmt: on

STATE = (SEEN, BRANDS, INCIDENTS, DELIVERIES)

Row = tuple[bytes, bytes | None]
"""Key and value; a value of None removes the row."""


class RowTable(faust.Table):
    """A Faust table of raw bytes: Faust assigns and recovers it, `write` is the only way to change it."""

    def rows(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        """Every row of one partition, in the order of the keys."""
        store: Any = self.data
        for key, value in store._db_for_partition(partition).items():
            if key != store.offset_key:
                yield key, value

    async def write(self, outbox: Outbox, partition: int, rows: Sequence[Row]) -> None:
        """Write rows, in order, and return once they are acknowledged and applied.

        Raises:
            aiokafka.errors.KafkaError: the changelog did not take them; the local copy is unchanged.
        """
        end = await self._log(outbox, partition, rows)
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
        if end >= 0 and end - len(rows) != before:
            # Somebody else wrote in between: a worker that was cut off, whose batches came through after it had lost
            # the partition. Ours must be the newest of every row, for whoever recovers from the changelog next.
            everything = list(self.rows(partition))
            end = await self._log(outbox, partition, everything)
            database.put(store.offset_key, str(max(end, before)).encode())

    async def _log(self, outbox: Outbox, partition: int, rows: Sequence[Row]) -> int:
        topic = self.changelog_topic_name
        return (await outbox.deliver(Out(topic, partition, key, value) for key, value in rows))[topic, partition]
