"""Tables are recovered however long the broker is silent meanwhile.

Faust 0.15.3 takes a step of its recovery that was not answered in time for the worker's being stopped, and leaves
its loop: nothing of this assignment, nor of any later one, is ever recovered, and no source partition is read again.
"""

from __future__ import annotations

from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, RequestTimedOutError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped

UNANSWERED = (TimeoutError, KafkaTimeoutError, RequestTimedOutError, KafkaConnectionError)


class PatientRecovery(Recovery):
    """Begins again where a step was not answered."""

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109  Faust's name
        try:
            await super()._wait(coro, timeout)
        except (ServiceStopped, *UNANSWERED) as error:
            if self.should_stop:
                raise
            self.log.warning("a step of recovery was not answered (%r): it begins again", error)
            await self.sleep(1.0)
            self.signal_recovery_start.set()
            raise RebalanceAgain from error


class Tables(TableManager):
    """Faust's tables, with that recovery."""

    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        """Made when it is first asked for, which the base class does as well."""
        if self._recovery is None:
            self._recovery = PatientRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
