"""A flow whose alerts are told to a receiver, and a story that raises them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from streams.core.deliveries import Delivery
from streams.pages import LOG_KEY
from streams.records import Alert
from streams.tables import DELIVERIES
from streams.topics import ALERTS
from tests.faults.harness import Flow, comes_true, until
from tests.faults.receiver import Receiver
from tests.faults.unrest import Unrest, days_ago

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from agents.cli.localkafka import LocalKafka


class Pager:
    """What was raised, what is written down about telling it, and what the receiver heard."""

    def __init__(self, flow: Flow, receiver: Receiver, story: Unrest) -> None:
        self.flow, self.receiver, self.story = flow, receiver, story

    async def settles(self) -> float:
        """How many seconds it takes until all that was published is handled and committed, alerts included."""
        began = monotonic()
        await self.flow.settled()
        return monotonic() - began

    async def alerts(self) -> dict[str, Alert]:
        """Each alert as it stands on the topic."""
        rows = await self.flow.eyes.latest(ALERTS.full_name(self.flow.settings))
        return {key.decode(): msgspec.json.decode(row, type=Alert) for (_, key), row in rows.items()}

    async def deliveries(self) -> dict[str, Delivery]:
        """The row of each alert's delivery, by alert id."""
        rows = await self.flow.eyes.latest(DELIVERIES.full_name(self.flow.settings))
        return {
            key.decode().rpartition("/")[0]: msgspec.msgpack.decode(row, type=tuple[int, Delivery])[1]
            for (_, key), row in rows.items()
            if key != LOG_KEY
        }

    async def hears(self, holds: Callable[[], bool], within_s: float = 40) -> None:
        """Return once the receiver has heard what `holds` wants."""

        async def it_has() -> bool:
            return holds()

        await until("the receiver has heard it", it_has, within_s)

    async def each(self, what: str, holds: Callable[[Delivery], bool], *, alerts: int, within_s: float = 40) -> None:
        """Return once so many alerts stand on the topic, and `holds` is true of the row of each."""

        rows: dict[str, Delivery] = {}

        async def it_holds_for_each() -> bool:
            standing = await self.alerts()
            rows.clear()
            rows.update(await self.deliveries())
            return len(standing) >= alerts and rows.keys() == standing.keys() and all(map(holds, rows.values()))

        if not await comes_true(it_holds_for_each, within_s):
            states = [(row.alert.brand, row.state, row.reason, row.heard, row.attempt) for row in rows.values()]
            raise AssertionError(
                f"after {within_s:.0f} s still not so for {alerts} alerts: each {what}; the {len(rows)} are {states}"
            )

    async def each_is_told(self, *, alerts: int, within_s: float = 40) -> None:
        """Return once nothing is owed any more."""
        await self.each("is told", lambda row: row.state == "delivered", alerts=alerts, within_s=within_s)


@asynccontextmanager
async def paging(
    kafka: LocalKafka,
    prefix: str,
    folder: Path,
    story: Unrest | None = None,
    *,
    module: str = "agents.cli",
    **settings: object,
) -> AsyncIterator[Pager]:
    """One worker, `a`, that has learned what is usual."""
    story = story or Unrest(seed=7, begins=days_ago(6), usual_s=60)
    async with (
        Receiver() as receiver,
        Flow(kafka, prefix, folder, rules=story.rules, **receiver.settings, **settings) as flow,
    ):
        flow.start_worker("a", module=module, webhook_url=receiver.url("a"))
        await flow.publish(story.past())
        await flow.settled()
        yield Pager(flow, receiver, story)
