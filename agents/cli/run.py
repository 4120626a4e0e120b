"""Everything on this machine: Kafka, topics, a worker, sources, a screen; and its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from agents.cli.accounts import read_accounts
from agents.cli.errors import CommandError
from agents.cli.inforce import put_in_force
from agents.cli.localkafka import LocalKafka
from agents.cli.publish import listeners_of
from agents.sources.listening import listen_to_all
from streams.broker import create_topics, delete_idle, group_is_ready
from streams.core.rules import load_rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agents.cli.chosen import Chosen
    from agents.cli.screen import Screen
    from agents.sources.interface import Source
    from agents.sources.publisher import Published
    from streams.settings import Settings

PREFIX = "groundswell-up-"
"""Each run has topics of its own: the same story told twice would be redeliveries. Runs that are over are cleared away."""

READY_S = 60.0
STOP_S = 6.0
RESTARTS = 5
LONG_S = 600.0
"""A worker that has run for so long may be started as often again."""


class Run:
    """One run of everything."""

    def __init__(
        self,
        chosen: Chosen,
        screen: Screen,
        sources: Sequence[Source],
        rules: Path,
        *,
        prefix: str = "",
        expects_alert: bool = False,
        max_age_s: int | None = None,
        play_s: float | None = None,
    ) -> None:
        self._sources, self._expects_alert, self.play_s = sources, expects_alert, play_s
        self._rules_text = rules.read_text(encoding="utf-8")
        self._rules = load_rules(self._rules_text, where=str(rules))  # refused before anything is started
        settings = chosen.settings()
        self._chosen, self._data_dir = chosen, settings.data_dir
        self._own_broker = None if settings.names_a_broker else LocalKafka(self._data_dir / "kafka")
        self._profile: dict[str, object] = {
            "topic_prefix": prefix or f"{PREFIX}{datetime.now(UTC):%Y%m%d-%H%M%S}.",
            "rules": str(rules.resolve()),
        }
        if max_age_s is not None:
            self._profile["notify_max_age_s"] = max_age_s
        self._worker: subprocess.Popen[bytes] | None = None
        self._screen = screen
        self._log = self._data_dir / "worker.log"
        self._started_broker = False

    async def until(self, seconds: float | None) -> int:
        """Run, and return the exit code."""
        stop = asyncio.Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        work = asyncio.create_task(self._work(seconds, stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._screen.say("stopping ...")
                work.cancel()
                with suppress(asyncio.CancelledError):
                    await work
                return 0
            return work.result()
        finally:
            stopping.cancel()
            await asyncio.to_thread(self._stop)

    async def _work(self, seconds: float | None, stop: asyncio.Event) -> int:
        settings = await self._set_up()
        self._screen.say("set-up done")
        deadline = None if seconds is None else monotonic() + seconds
        telling = asyncio.create_task(self._tell(settings))
        watching = asyncio.create_task(self._screen.watch(settings))
        minding = asyncio.create_task(self._mind_worker(settings))
        jobs = {telling, watching, minding}
        try:
            while jobs and (deadline is None or monotonic() < deadline):
                left = None if deadline is None else max(0.0, deadline - monotonic())
                done, jobs = await asyncio.wait(jobs, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for job in done:
                    job.result()
                if watching in done:
                    stop.set()  # somebody has quit; `until` ends us
        finally:
            for job in (telling, watching, minding):
                job.cancel()
            await asyncio.gather(telling, watching, minding, return_exceptions=True)
        self._screen.say(await read_accounts(settings))
        if not self._started_broker:
            self._screen.say(f"Look again: GROUNDSWELL_TOPIC_PREFIX={settings.topic_prefix} groundswell alerts --all")
        if self._expects_alert and not self._screen.fired:
            self._screen.say(f"The story's alert did not come. The worker's log: {self._log}")
            return 1
        return 0

    # -- setting up ------------------------------------------------------------------------------

    async def _set_up(self) -> Settings:
        if self._own_broker is not None:
            self._screen.say("starting Kafka ...")
            self._started_broker = await asyncio.to_thread(self._own_broker.start)
            await self._own_broker.wait_ready()
        settings = self._chosen.settings(**self._profile)
        self._screen.say(f"Kafka answers at {settings.kafka_bootstrap}; creating topics {settings.topic_prefix}*")
        for old in await delete_idle(settings, PREFIX):
            shutil.rmtree(self._data_dir / old.rstrip("."), ignore_errors=True)
        await create_topics(settings)
        await put_in_force(
            settings, self._rules, self._rules_text
        )  # topics that are kept may hold those of the last run
        self._start_worker(settings)
        deadline = monotonic() + READY_S
        while not await group_is_ready(settings):
            if self._worker_ended() or monotonic() > deadline:
                raise CommandError(f"the worker did not start:\n{self._last_words()}")
            await asyncio.sleep(0.2)
        return settings

    def _start_worker(self, settings: Settings) -> None:
        environment = {
            **os.environ,
            **{f"GROUNDSWELL_{name.upper()}": str(value) for name, value in self._profile.items()},
            "GROUNDSWELL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "GROUNDSWELL_DATA_DIR": str(settings.data_dir / settings.topic_prefix.rstrip(".")),
        }
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker"],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches us first; we stop things in order
            )

    async def _mind_worker(self, settings: Settings) -> None:
        """Start a worker that ended again, as its supervisor in production would."""
        quick = 0
        while quick < RESTARTS:
            began = monotonic()
            if self._worker is not None:
                await asyncio.to_thread(self._worker.wait)
            quick = quick + 1 if monotonic() - began < LONG_S else 1
            self._screen.say(f"the worker ended, starting it again:\n{self._last_words()}")
            self._start_worker(settings)
        raise CommandError(f"the worker keeps ending. Its log: {self._log}\n{self._last_words()}")

    def _worker_ended(self) -> bool:
        return self._worker is not None and self._worker.poll() is not None

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])

    # -- the story -------------------------------------------------------------------------------

    async def _tell(self, settings: Settings) -> None:
        listeners, began = await listeners_of(settings, self._sources), monotonic()

        def progress(_: Published) -> None:
            self._screen.published = sum(listener.state.published for listener in listeners)

        for listener in listeners:
            listener.on_progress = progress
        await listen_to_all(listeners)
        self._screen.say(f"told {self._screen.published:,} mentions in {monotonic() - began:.0f} s")

    def _stop(self) -> None:
        if self._worker is not None and self._worker.poll() is None:
            self._worker.terminate()
            try:
                self._worker.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._worker.kill()
        if self._own_broker is not None and self._started_broker:
            self._own_broker.stop(patience_s=3)
