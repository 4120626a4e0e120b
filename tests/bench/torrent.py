"""The other side of `tests.bench.firehose`: Jetstream's stand-in, with what happens on Bluesky at a steady rate.

The mixture is that of a recording of the public server (2026-07-04, 152 events in a third of a second). Posts say what the
standard load says, so that most concern somebody, which is more work than real ones are. Each second a line of JSON says
what has happened so far.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from itertools import cycle
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from streams.records import Mention
from tests.bench.load import standard_load
from tests.sources.standins.bluesky import POSTS, BlueskyStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator

MIXTURE = {
    ("create", "app.bsky.feed.like"): 105,
    ("create", POSTS): 17,
    ("create", "app.bsky.feed.repost"): 15,
    ("create", "app.bsky.graph.follow"): 6,
    ("delete", "app.bsky.graph.follow"): 3,
    ("update", "app.bsky.actor.status"): 2,
    ("create", "app.bsky.graph.block"): 1,
    ("delete", POSTS): 1,
    ("identity", ""): 1,
    ("account", ""): 1,
}
SEED, TEXTS, AUTHORS, KEPT = 20_261_122, 5000, 20_000, 100_000
TICK_S = 0.01
GONE = 0.3
"""Share of account events that are an account's end."""


class Torrent:
    """What happens on `server`, from a fixed seed."""

    def __init__(self, server: BlueskyStandIn) -> None:
        self._server, self._chance = server, random.Random(SEED)
        self._dids = [server.did() for _ in range(AUTHORS)]
        self._texts: Iterator[str] = cycle([_text(raw.value) for raw in standard_load(TEXTS)])
        self._what = cycle(self._chance.sample([*MIXTURE], 152, counts=[*MIXTURE.values()]))
        self._last = ("did:plc:nobody", server.tid())
        self.happened = {"events": 0, "posts": 0, "deletes": 0, "removals": 0}

    async def flow(self, per_second: float, seconds: float) -> None:
        """Let it happen, evenly."""
        began = monotonic()
        while (passed_s := monotonic() - began) < seconds:
            while self.happened["events"] < passed_s * per_second:
                self.next()
            await asyncio.sleep(TICK_S)

    def next(self) -> None:
        """One more event."""
        operation, collection = next(self._what)
        server, did = self._server, self._chance.choice(self._dids)
        self.happened["events"] += 1
        match operation, collection:
            case "identity", _:
                server.append(
                    did, "identity", {"did": did, "handle": "jo.example", "seq": 1, "time": "2026-07-04T14:38:08Z"}
                )
            case "account", _:
                gone = self._chance.random() < GONE
                self.happened["removals"] += gone
                server.account(did, "deleted" if gone else None)
            case "create", "app.bsky.feed.post":
                self.happened["posts"] += 1
                self._last = did, server.tid()
                server.post(*self._last, next(self._texts), langs=["en"])
            case "delete", "app.bsky.feed.post":
                self.happened["deletes"] += 1
                author, rkey = self._last
                server.commit(author, "delete", POSTS, rkey)
            case "delete", _:
                server.commit(did, "delete", collection, server.tid())
            case _:
                subject = {"uri": f"at://{did}/{POSTS}/3mpsjbtci2c2o", "cid": "bafyreiftot7eltsc3f6g4qktykmbv6jcmdmh"}
                record = {"createdAt": "2026-07-04T14:38:08.999Z", "subject": subject}
                server.commit(self._chance.choice(self._dids), operation, collection, server.tid(), record)


def _text(value: bytes) -> str:
    return msgspec.json.decode(value, type=Mention).text or ""


async def _run(port: int, per_second: float, minutes: float, *, filtered: bool) -> None:
    async with BlueskyStandIn(port=port, most=KEPT, unfiltered=not filtered) as server:
        torrent = Torrent(server)
        say = asyncio.create_task(_say(server, torrent))
        while not server.connections:  # noqa: ASYNC110  whoever listens comes when it comes
            await asyncio.sleep(TICK_S)
        await torrent.flow(per_second, minutes * 60)
        await say


async def _say(server: BlueskyStandIn, torrent: Torrent) -> None:
    while True:
        print(json.dumps({"sent": server.sent, **torrent.happened}), flush=True)
        await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--events", type=float, default=480, help="a second")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--filtered", action="store_true", help="send what is asked for, and not everything")
    given = parser.parse_args()
    asyncio.run(_run(given.port, given.events, given.minutes, filtered=given.filtered))
