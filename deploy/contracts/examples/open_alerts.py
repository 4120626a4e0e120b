"""Show open alerts with their evidence, and each change as it comes. Needs aiokafka, and nothing of Groundswell.

python open_alerts.py 127.0.0.1:9092 [--prefix PREFIX] [--once]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, TopicPartition

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

Alert = dict[str, Any]


def take(alerts: dict[bytes, Alert], record: ConsumerRecord) -> Alert | None:
    """Take in one record; return the alert if this is a step that was not known yet."""
    if record.value is None:  # resolved long ago; or for a key that nobody has
        alerts.pop(record.key, None)
        return None
    alert = json.loads(record.value)
    if record.key in alerts and alert["step"] <= alerts[record.key]["step"]:  # sent again, or published again
        return None
    alerts[record.key] = alert
    return alert


def describe(alert: Alert) -> str:
    """Say what happened and why to believe it. A field that is absent has its default."""
    if alert["status"] == "resolved":
        return f"RESOLVED {plain(alert['title'])}; {alert['id']}, step {alert['step']}"
    seen = alert["evidence"]
    usual = f"{seen['observed']:g} in {seen['window_s'] / 60:g} min where {seen['expected']:g} are usual"
    believed = f"{seen.get('authors', 0)} authors, {seen.get('negative_share') or 0:.0%} negative"
    lines = [
        f"OPEN [{alert['severity']}] {plain(alert['title'])}; {alert['id']}, step {alert['step']}",
        f"  since {alert['started_at']}, seen by {', '.join(alert['detectors'])}",
        f"  {usual}, score {seen['score']:g}; {believed}",
        *(f"  {what}: {counts(seen[what])}" for what in ("issues", "sources") if seen.get(what)),
    ]
    for sample in seen.get("samples", ()):
        who, url = plain(sample.get("author_name") or "somebody"), plain(sample.get("url") or sample["id"])
        lines.append(f"  - {sample['observed_at']} {who}: {plain(sample['text'])} {url}")
    return "\n".join(lines)


def counts(by_name: dict[str, int]) -> str:
    """Name and count, the most first."""
    most_first = sorted(by_name.items(), key=lambda one: -one[1])
    return ", ".join(f"{plain(name)} {count}" for name, count in most_first)


def plain(text: str) -> str:
    """Strangers wrote it: nothing in it may move the cursor or turn the line around."""
    return "".join(character if character.isprintable() else " " for character in text)


async def main(bootstrap: str, topic: str, *, once: bool) -> None:
    """Read the topic from its start, in no consumer group: it holds all that is open."""
    alerts: dict[bytes, Alert] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        if topic not in await consumer.topics():
            sys.exit(f"{bootstrap} has no topic {topic}")
        await consumer.end_offsets([TopicPartition(topic, 0)])  # from here on the client knows the others, too
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    take(alerts, record)
        standing = [alert for alert in alerts.values() if alert["status"] == "firing"]
        for alert in sorted(standing, key=lambda alert: alert["started_at"]):
            print(describe(alert), flush=True)
        print(f"{len(standing)} open", flush=True)
        while not once:
            if step := take(alerts, await consumer.getone()):
                print(describe(step), flush=True)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("bootstrap")
    arguments.add_argument("--prefix", default="")
    arguments.add_argument("--once", action="store_true")
    given = arguments.parse_args()
    asyncio.run(main(given.bootstrap, given.prefix + "alerts", once=given.once))
