"""A broker for one benchmark."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agents.cli.localkafka import LocalKafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def broker_of(name: str) -> AsyncIterator[tuple[LocalKafka, Path]]:
    """A broker that answers, and a folder to work in; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"groundswell-{name}-", ignore_cleanup_errors=True) as folder:
        kafka = LocalKafka(Path(folder) / "kafka")
        kafka.start()
        try:
            await kafka.wait_ready()
            yield kafka, Path(folder)
        finally:
            kafka.stop()
