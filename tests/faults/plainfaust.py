"""A plain Faust app, as Faust's own guide teaches it: one agent, one table, one event at a time.

`PLAIN_BROKER=host:port PLAIN_PREFIX=p. PLAIN_GUARANTEE=at_least_once faust -A tests.faults.plainfaust worker`
"""

from __future__ import annotations

import asyncio
import os

import faust

PREFIX = os.environ["PLAIN_PREFIX"]
WORK_S = 0.005
"""What an event takes, such as a query. An agent faster than delivery has nothing queued, and loses nothing."""

ROWS = 20
"""Written for each event, so that the changelog takes a moment to read: meanwhile the source's records arrive in the client's buffers."""

# The table rests in memory, which is Faust's default: after a restart its changelog is read anew.
# With RocksDB and nothing to recover the fetcher is not running yet when sources are sought, and nothing is lost.
app = faust.App(
    f"{PREFIX}app",
    broker=f"kafka://{os.environ['PLAIN_BROKER']}",
    processing_guarantee=os.environ["PLAIN_GUARANTEE"],
    topic_partitions=4,
)
asked = app.topic(f"{PREFIX}asked", value_serializer="raw")
answered = app.topic(f"{PREFIX}answered", value_serializer="raw")
counts = app.Table("counts", default=int)


@app.agent(asked)
async def answer(questions):
    async for question in questions:
        for row in range(ROWS):
            counts[row] += 1
        await asyncio.sleep(WORK_S)
        await answered.send(value=question)
