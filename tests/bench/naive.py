"""Faust as its documentation teaches it: typed records, one event at a time, `table[key] += 1`, `await topic.send()`."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import faust
import msgspec
from mode import Service

from tests.bench.job import RAW_PARTITIONS, Judge, Watch

if TYPE_CHECKING:
    from tests.bench.job import Job

LOST_AFTER_S = 10.0
"""Plain Faust may skip records as it starts; then nothing follows for so long, and that time is taken off."""


class Post(faust.Record, serializer="json"):
    id: str
    source: str
    observed_at: str
    text: str | None = None
    title: str | None = None
    image_text: list[str] = []  # noqa: RUF012  how Faust's records take defaults
    quoted_text: str | None = None
    parent_text: str | None = None
    mentions: list[str] = []  # noqa: RUF012
    lang: str | None = None
    author_id: str | None = None
    author_name: str | None = None
    posted_at: str | None = None
    ingested_at: str | None = None
    url: str | None = None


class ScoredPost(faust.Record, serializer="json", include_metadata=False):
    brand: str
    id: str
    source: str
    observed_at: str
    issues: list[str]
    hits: list[dict]
    label: str
    compound: float | None
    text: str
    lang: str | None
    author_id: str | None
    author_name: str | None
    posted_at: str | None
    ingested_at: str | None
    url: str | None
    rules_version: str


def naive(job: Job) -> None:
    """Run until every record is handled, sent and committed."""
    logging.basicConfig(level=logging.ERROR)  # at warning it tells of every full producer buffer
    judge, watch = Judge(job), Watch(job)
    app = faust.App(
        job.prefix + job.app_id,
        broker=f"kafka://{job.bootstrap}",
        store="rocksdb://",
        datadir=Path(job.data_dir),
        topic_partitions=RAW_PARTITIONS,
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
        web_enabled=False,
    )
    posts = app.topic(f"{job.prefix}mentions.raw", key_type=bytes, value_type=Post)
    scored = app.topic(f"{job.prefix}{job.app_id}.scored", key_type=str, value_type=ScoredPost)
    seen = app.Table("seen", default=bool)
    counts = app.Table("counts", default=int)
    progress = _Progress(app, job.records, watch)

    @app.agent(posts)
    async def hear(stream: faust.Stream[Post]) -> None:
        async for post in stream:
            watch.first()
            if not seen[post.id]:
                seen[post.id] = True
                brands, sentiment = judge(post)
                for match in brands:
                    counts[match.brand] += 1
                    await scored.send(
                        key=match.brand,
                        value=ScoredPost(
                            brand=match.brand,
                            id=post.id,
                            source=post.source,
                            observed_at=post.observed_at,
                            issues=list(match.issues),
                            hits=[msgspec.to_builtins(hit) for hit in match.hits],
                            label=sentiment.label,
                            compound=sentiment.compound,
                            text=post.text or "",
                            lang=post.lang,
                            author_id=post.author_id,
                            author_name=post.author_name,
                            posted_at=post.posted_at,
                            ingested_at=post.ingested_at,
                            url=post.url,
                            rules_version=judge.version,
                        ),
                    )
            progress.handled += 1
            progress.at_s = perf_counter()

    @app.task
    async def watch_progress() -> None:
        await app.add_runtime_dependency(progress)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    faust.Worker(
        app, loop=loop, loglevel="info", override_logging=False, redirect_stdouts=False, quiet=True
    ).execute_from_commandline()


class _Progress(Service):
    def __init__(self, app: faust.App, records: int, watch: Watch) -> None:
        super().__init__()
        self._app, self._records, self._watch = app, records, watch
        self.handled, self.at_s = 0, 0.0

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(0.02)
            quiet_s = perf_counter() - self.at_s
            lost = 0 < self.handled < self._records and quiet_s > LOST_AFTER_S
            if lost or self.handled == self._records:
                await self._app.producer.flush()
                await self._app.consumer.commit()
                self._watch.last(self.handled, idle_s=quiet_s if lost else 0.0)
