"""Gives memory that is free back to the system, where the C library is glibc.

Desks and tables come and go with their partitions, and leave holes in the heap that nothing fits into: a worker
whose partitions moved now and then grew by 2 MiB a minute, while what it held stayed the same.
"""

from __future__ import annotations

import asyncio
import ctypes

from mode import Service

GIVE_BACK_EVERY_S = 60.0


class Memory(Service):
    """Gives back once a minute; some milliseconds, in a thread of its own."""

    abstract = False

    @Service.task
    async def _give_back(self) -> None:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        while trim is not None and not self.should_stop:
            await self.sleep(GIVE_BACK_EVERY_S)
            await asyncio.to_thread(trim, 0)
