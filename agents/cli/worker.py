"""`groundswell worker`: run the agents until told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import os
from typing import TYPE_CHECKING

import faust

from agents.cli.logs import configure_logging
from agents.main import build
from streams.broker import check_topics
from streams.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings


class Worker(faust.Worker):
    """Faust's, but gone as soon as all services have stopped."""

    async def _sentinel_task(self) -> None:
        """Mode sleeps a second here before it closes a loop in which nothing runs any more."""


def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or Ctrl-C; leaves the process.

    Raises:
        BrokerError: no broker, or topics other than the settings say.
        SettingsError: the rules file cannot be read; another worker uses the data folder; nobody can listen at the HTTP port, or
            anybody may ask there.
        RulesError: the rules file is refused.
    """
    configure_logging()
    app = build(settings)
    asyncio.run(check_topics(settings))
    lock = claim(settings.data_dir / "tables")
    # An event loop of its own: asyncio.run has closed the one it used.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = Worker(
        app,
        loop=loop,
        loglevel="info",
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
    )
    try:
        worker.execute_from_commandline()
    finally:
        if app.gave_up is not None:
            app.end()  # Faust may still wait for threads
        os.close(lock)


def claim(folder: Path) -> int:
    """Make a folder this process' own for as long as it lives; return a descriptor that must stay open.

    Two workers in one folder would each take the other's tables for leftovers.

    Raises:
        SettingsError: another worker has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise SettingsError(
            f"another worker uses the tables in {folder}: give each a data folder of its own, --data-dir or GROUNDSWELL_DATA_DIR"
        ) from None
    return lock
