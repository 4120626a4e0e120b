"""Counting mentions with Faust, as its guide teaches it: a record, a table with `+= 1`, an agent that sends on what it has counted.

`NAIVE_BROKER=host:port NAIVE_PREFIX=p. NAIVE_GUARANTEE=exactly_once faust -A tests.faults.naivefaust worker`
"""

from __future__ import annotations

import os

import faust

PREFIX = os.environ["NAIVE_PREFIX"]
SESSION_TIMEOUT_S = 6
"""As our workers have it in these tests. Faust's default is a minute, and a worker that died is replaced after as long."""

app = faust.App(
    f"{PREFIX}app",
    broker=f"kafka://{os.environ['NAIVE_BROKER']}",
    processing_guarantee=os.environ["NAIVE_GUARANTEE"],
    broker_session_timeout=SESSION_TIMEOUT_S,
    broker_heartbeat_interval=SESSION_TIMEOUT_S / 3,
    topic_partitions=4,
)


class Heard(faust.Record):
    id: str
    brand: str


heard = app.topic(f"{PREFIX}heard", key_type=str, value_type=Heard, key_serializer="raw")
counted = app.topic(f"{PREFIX}counted", key_type=str, value_type=Heard, key_serializer="raw")
counts = app.Table("counts", key_type=str, value_type=int, default=int)


@app.agent(heard)
async def count(mentions):
    async for mention in mentions:
        counts[mention.brand] += 1
        await counted.send(key=mention.brand, value=mention)
