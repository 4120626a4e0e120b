"""A plain Faust app, as Faust's own guide teaches it: one agent, one table, one event at a time.

It runs only to show what `streams/consumer.py` is there for:
`PLAIN_BROKER=host:port PLAIN_PREFIX=p. faust -A tests.faults.plainfaust worker`.
"""

from __future__ import annotations

import asyncio
import os

import faust

app = faust.App(
    os.environ["PLAIN_PREFIX"] + "app",
    broker="kafka://" + os.environ["PLAIN_BROKER"],
    store=os.environ.get("S","memory://"),
    topic_partitions=4,
    topic_replication_factor=1,
    web_enabled=False,
)
asked = app.topic(os.environ["PLAIN_PREFIX"] + "asked", value_serializer="raw")
answered = app.topic(os.environ["PLAIN_PREFIX"] + "answered", value_serializer="raw")
counts = app.Table("counts", default=int)

WORK_S = float(os.environ.get("W", "0.001"))
"""An event's own work, such as a query: an agent faster than delivery never has anything queued, and loses nothing."""


@app.agent(asked)
async def answer(events):
    async for value in events:
        counts[value[-1:].hex()] += 1
        await asyncio.sleep(WORK_S)
        await answered.send(value=value)
