"""Single mentions: whoever has the raw partition looks up intake's memory, reads the one record, and judges it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.http.problems import not_now
from agents.http.rawlog import RawLog
from agents.http.routing import Owners, raw_partition_of

if TYPE_CHECKING:
    from agents.intake import IntakeDesk
    from streams.app import GroundswellApp
    from streams.core.recall import Missing, Retold


class Elsewhere(str):
    """The address of the worker that has the mention's partition."""

    __slots__ = ()


class Mentions:
    """What this worker can tell of a mention."""

    def __init__(self, app: GroundswellApp) -> None:
        self._settings, self._owners, self._raw = app.groundswell, Owners(app), RawLog(app.groundswell)

    async def tell(self, name: str) -> Retold | Missing | Elsewhere:
        """Tell a mention, or why it is not shown, or who may tell.

        Raises:
            Refused: nobody can tell just now.
        """
        partition = raw_partition_of(name, self._settings)
        desk = self._owners.desk(partition)
        if desk is None:
            return Elsewhere(self._owners.elsewhere(partition))
        if isinstance(desk.recall.place_of(name), str):
            # It may just have come; or whoever had the partition before was killed, and its last second is read again.
            await self._owners.wait_until_handled(partition, await self._raw.end(partition))
        found = await self._look(desk, partition, name)
        if self._owners.desk(partition) is not desk:  # only whoever has the partition knows what was removed
            raise not_now("moving", "Partitions are changing hands.", 1)
        return found

    async def _look(self, desk: IntakeDesk, partition: int, name: str) -> Retold | Missing:
        place = desk.recall.place_of(name)
        if isinstance(place, str):
            return place
        record = await self._raw.read(partition, place)
        if desk.recall.place_of(name) != place:
            raise not_now("moving", "It changed just now.", 1)
        return "expired" if record is None else desk.recall.retell(name, place, record.key, record.value)

    async def close(self) -> None:
        """Disconnect."""
        await self._raw.close()
