"""Which worker answers for a raw partition: the group's leader has told everybody, with the partitions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faust.types import TP

from agents.http.problems import not_now
from streams.settings import NOBODY
from streams.topics import RAW, partition_of

if TYPE_CHECKING:
    from agents.intake import IntakeDesk
    from streams.app import GroundswellApp
    from streams.settings import Settings

AGAIN_AFTER_S = 2
HANDLED_WITHIN_S = 2.0
LOOK_EVERY_S = 0.02


def raw_partition_of(mention_id: str, settings: Settings) -> int:
    """Where sources put a mention."""
    return partition_of(mention_id.encode(), settings.raw_partitions)


class Owners:
    """Knows intake's desks on this worker, and where the others are."""

    def __init__(self, app: GroundswellApp) -> None:
        self._app, self._raw = app, RAW.full_name(app.groundswell)

    def desk(self, partition: int) -> IntakeDesk | None:
        """The desk of a raw partition that is this worker's own right now."""
        [intake] = [ledger for ledger in self._app.ledgers if ledger.topic == self._raw]
        return next((desk for number, desk in intake.desks() if number == partition), None)

    def elsewhere(self, partition: int) -> str:
        """The address of the worker that has a raw partition, which is not this one.

        Raises:
            Refused: nobody has it just now, or nobody knows where.
        """
        if self._app.rebalancing or self._app.gave_up is not None:
            raise not_now("moving", "Partitions are changing hands.", AGAIN_AFTER_S)
        owners = [
            url
            for url, topics in self._app.router.external_topics_metadata().items()
            if partition in topics.get(self._raw, ())
        ]
        if not owners or owners[0] == str(self._app.conf.canonical_url):
            # Ours, and its tables are being read; or two workers have one address, and only one of them is told of.
            raise not_now(
                "moving", "Whoever has it is getting ready, or shares GROUNDSWELL_HTTP_ADVERTISED_URL.", AGAIN_AFTER_S
            )
        if owners[0] == NOBODY:
            raise not_now("moving", "The worker that has it does not answer over HTTP.", AGAIN_AFTER_S)
        return str(owners[0])

    async def wait_until_handled(self, partition: int, end: int) -> None:
        """Return once intake has handled all that a raw partition of ours holds before `end`.

        Raises:
            Refused: that takes too long.
        """
        consumer, tp = self._app.consumer, TP(self._raw, partition)
        try:
            async with asyncio.timeout(HANDLED_WITHIN_S):
                while consumer.positions.get(tp, -1) < end and not consumer.caught_up(tp, end):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            says = "Intake is behind: it may be among what waits."
            raise not_now("behind", says, AGAIN_AFTER_S) from None
