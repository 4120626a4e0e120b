"""Count the mentions of each brand, none twice and none lost, however often anybody is killed. Needs aiokafka alone.

python count_mentions.py 127.0.0.1:9092 counts.json [--prefix PREFIX]
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

Brands = dict[str, dict[str, Any]]
"""Of each brand its `count`, and of each origin partition how far it is counted: [epoch, offset]."""


def count(brands: Brands, said: dict[str, Any]) -> None:
    """Count a mention, unless it was counted before."""
    if said["kind"] != "mention":  # removals and marks; and kinds that are not known yet
        return
    brand = brands.setdefault(said["brand"], {"count": 0, "counted": {}})
    lane, origin = str(said["origin"]["partition"]), [said["origin"]["epoch"], said["origin"]["offset"]]
    if origin <= brand["counted"].get(lane, [0, -1]):  # sent again
        return
    brand["counted"][lane] = origin
    if said.get("op", "create") == "create" and said.get("author_role", "public") == "public":
        brand["count"] += 1


def load(path: Path) -> Brands:
    """What was counted before."""
    brands: Brands = json.loads(path.read_text()) if path.exists() else {}
    return brands


def save(path: Path, brands: Brands) -> None:
    """Counts, and how far they go, at once: a file that is half written would be neither."""
    written = path.with_suffix(".new")
    written.write_text(json.dumps(brands, indent=1))
    written.replace(path)


async def main(bootstrap: str, topic: str, path: Path) -> None:
    """The offset is committed once the counts are written: what is read again is skipped."""
    brands = load(path)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=f"count-{topic}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        while True:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    count(brands, json.loads(record.value))
            save(path, brands)
            await consumer.commit()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap")
    arguments.add_argument("file", type=Path)
    arguments.add_argument("--prefix", default="")
    given = arguments.parse_args()
    asyncio.run(main(given.bootstrap, given.prefix + "mentions.scored", given.file))
