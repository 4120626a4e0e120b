"""Groundswell itself: intake alone, or a whole worker. Stops once everything is delivered, written and committed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import faust
from mode import Service

import agents.intake
from agents.cli.logs import configure_logging
from agents.main import build
from streams.app import GroundswellApp
from streams.broker import create_topics
from streams.settings import load_settings
from streams.topics import RAW
from tests.bench.job import RAW_PARTITIONS, Watch

if TYPE_CHECKING:
    from streams.consumer import Bundle
    from streams.settings import Settings
    from tests.bench.job import Job


def settings_of(job: Job) -> Settings:
    """The defaults, on the run's own topics, tables and consumer group."""
    return load_settings(
        kafka_bootstrap=job.bootstrap,
        topic_prefix=job.prefix,
        app_id=job.app_id,
        rules=Path(job.rules),
        data_dir=Path(job.data_dir),
        raw_partitions=RAW_PARTITIONS,
    )


def intake(job: Job) -> None:
    """Intake alone: outputs acknowledged, its memory and books in the changelog, offsets committed."""
    rules = job.load_rules()
    app = GroundswellApp(settings_of(job), (rules, Path(job.rules).read_text(encoding="utf-8")))
    agents.intake.register(app)
    _run(app, job)


def worker(job: Job) -> None:
    """Intake, detect, alerts and notify, until each has read all there is."""
    _run(build(settings_of(job)), job)


def _run(app: GroundswellApp, job: Job) -> None:
    configure_logging()
    asyncio.run(create_topics(app.groundswell))
    watch = Watch(job)
    ledger = app.ledgers[0]
    receive = ledger._receive

    async def timed_receive(bundle: Bundle) -> None:
        watch.first()
        await receive(bundle)

    ledger._receive = timed_receive
    app.keep_running(_Finish(app, job.records, watch))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    faust.Worker(
        app, loop=loop, loglevel="info", override_logging=False, redirect_stdouts=False, quiet=True
    ).execute_from_commandline()


class _Finish(Service):
    """Looks whether every agent has read its topics to their ends."""

    def __init__(self, app: GroundswellApp, records: int, watch: Watch) -> None:
        super().__init__()
        self._app, self._records, self._watch = app, records, watch
        self._raw = RAW.full_name(app.groundswell)

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(0.02)
            positions = dict(self._app.consumer.positions)
            if sum(offset for tp, offset in positions.items() if tp.topic == self._raw) < self._records:
                continue
            ends = await self._app.consumer.highwaters(*positions)
            if all(positions[tp] >= end for tp, end in ends.items()):
                await self._app.consumer.settle()
                self._watch.last(self._records)
