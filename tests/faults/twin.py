"""What the agents behind intake must have told, computed from their own input in one go, and whether they did.

Workers are killed, partitions move, records come again; over the same log the same must be told all the
same. So each log is handled once more, by the same agents, in memory and without any interruption.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from agents import alerts, detect
from agents.alerts import KeepAlerts
from agents.detect import Detect
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.keyed import KeyedDesk
from streams.records import ON_SCORED, ON_SPIKES
from streams.topics import ALERTS, SPIKES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from aiokafka.structs import ConsumerRecord

    from streams.outbox import Out
    from streams.settings import Settings


Log = Sequence["ConsumerRecord"]
"""All of a topic, each partition's records in order."""


def differences(scored: Log, spikes: Log, told_alerts: Log, rules: str, settings: Settings) -> list[str]:
    """Say what stands on `spikes` or `alerts` that must not be there, what is missing, and what reads differently."""
    versions = Versions(load_rules(rules, where="rules"))

    def detection(partition: int) -> KeyedDesk[Any]:
        work, decode = Detect(settings, versions, partition), msgspec.json.Decoder(ON_SCORED).decode
        return KeyedDesk(
            work, agent="detect", lanes=settings.raw_partitions, decode=decode, origin_of=detect._origin
        )  # fmt: skip

    def alerting(partition: int) -> KeyedDesk[Any]:
        work, decode = KeepAlerts(settings, versions, partition), msgspec.json.Decoder(ON_SPIKES).decode
        return KeyedDesk(work, agent="alerts", lanes=1, decode=decode, origin_of=alerts._origin)

    return [
        *_compare(SPIKES.full_name(settings), _replay(scored, detection), spikes),
        *_compare(ALERTS.full_name(settings), _replay(spikes, alerting), told_alerts),
    ]


def _replay(log: Log, desk: Callable[[int], KeyedDesk[Any]]) -> Iterable[Out]:
    desks: dict[int, KeyedDesk[Any]] = {}
    for record in log:
        if record.partition not in desks:
            desks[record.partition] = desk(record.partition)
        yield from desks[record.partition].handle([record], 0.0)


def _compare(topic: str, expected: Iterable[Out], found: Log) -> list[str]:
    wanted = _sayings(out for out in expected if out.topic == topic)
    told = _sayings(found)
    wrong = []
    for name in sorted(wanted.keys() | told.keys()):
        if name not in told:
            wrong.append(f"{topic}: {name} is missing")
        elif name not in wanted:
            wrong.append(f"{topic}: {name} should not be there")
        elif different := [one for one in told[name] if one not in wanted[name]]:
            wrong.append(f"{topic}: {name} reads {different[0]} instead of {wanted[name][0]}")
    return wrong


def _sayings(records: Iterable[Out | ConsumerRecord]) -> Mapping[str, Sequence[object]]:
    """What is said by name: a re-send has the name of the first time, and must say the same. Marks are left out."""
    sayings = defaultdict[str, list[object]](list)
    for record in records:
        if record.value is None:
            if record.key.startswith(b"\0"):
                continue  # a key that nobody has, written so that Kafka compacts
            sayings[f"the end of {record.key!r}"] = [None]
            continue
        said = msgspec.json.decode(record.value)
        if said.get("kind") != "mark":
            name = f"{dict(record.headers)['ce_id'].decode()} {said.get('change', '')} {said.get('at', '')}"
            sayings[name].append(said)
    return sayings
