"""The topology: one line a topic. Read it aloud and you know the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiokafka.partitioner import murmur2

if TYPE_CHECKING:
    from streams.settings import Settings

MIB = 1024 * 1024
DAY_S = 86_400

CLOSED_AFTER_MS = DAY_S * 1000
"""Kafka drops nothing from the segment that it writes to: so long after its first record it has to begin another."""

COMPACTION = {"max.compaction.lag.ms": str(CLOSED_AFTER_MS), "segment.ms": str(CLOSED_AFTER_MS)}
"""What is replaced in a compacted topic is gone in a stated time, not whenever enough of it has gathered."""


def partition_of(key: bytes, partitions: int) -> int:
    """Where Java's clients, aiokafka's and ours put a key: by murmur2."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic: what it carries, who writes it (exactly one), who reads it, how long it is kept.

    `compacted` topics hold the latest value of each key for good. The others are kept for
    `retention_s` seconds (0: as long as raw) by log-append time, so that replaying old posts does
    not expire them at once. Of those, `erasable` ones have a key for each record, and a tombstone takes
    one away before its time. `sized` says whether its partition count is the raw or the keyed one, or always one.
    """

    name: str
    key: str
    value: str
    written_by: str
    read_by: tuple[str, ...]
    sized: Literal["raw", "keyed", "one"] = "keyed"
    compacted: bool = False
    erasable: bool = False
    retention_s: int = 7 * DAY_S
    max_bytes: int = MIB

    def partitions(self, settings: Settings) -> int:
        """How many partitions it has, fixed when it is created."""
        return {"raw": settings.raw_partitions, "keyed": settings.keyed_partitions, "one": 1}[self.sized]

    def full_name(self, settings: Settings) -> str:
        """Its name on the broker."""
        return settings.topic_prefix + self.name

    def config(self, settings: Settings) -> dict[str, str]:
        """Its configuration on the broker."""
        size = {"max.message.bytes": str(self.max_bytes)}
        if self.compacted:
            return {"cleanup.policy": "compact", **COMPACTION, **size}
        return {
            "cleanup.policy": "compact,delete" if self.erasable else "delete",
            "retention.ms": str(self.kept_s(settings) * 1000),
            "message.timestamp.type": "LogAppendTime",
            **(COMPACTION if self.erasable else {"segment.ms": str(CLOSED_AFTER_MS)}),
            **size,
        }

    def kept_s(self, settings: Settings) -> int:
        """For how many seconds a time-limited topic keeps a record; Kafka may take CLOSED_AFTER_MS more to drop it."""
        return self.retention_s or settings.raw_retention_s


# fmt: off
RAW          = Topic("mentions.raw",    key="mention id", value="Mention",                      written_by="sources", read_by=("intake",), sized="raw", retention_s=0, max_bytes=2 * MIB)
SCORED       = Topic("mentions.scored", key="brand",      value="ScoredMention|Removal|Mark|RulesChanged", written_by="intake",  read_by=("detect",))
DEAD_LETTERS = Topic("dead-letters",    key="origin",     value="the original bytes",           written_by="intake",  read_by=("people",), sized="raw", erasable=True, retention_s=30 * DAY_S, max_bytes=4 * MIB)
SPIKES       = Topic("spikes",          key="brand",      value="Finding|Removal|Mark|RulesChanged", written_by="detect",  read_by=("alerts",), retention_s=30 * DAY_S)
BRAND_STATS  = Topic("brand-stats",     key="brand",      value="BrandStats",                   written_by="detect",  read_by=("subscribers",), compacted=True)
ALERTS       = Topic("alerts",          key="alert id",   value="Alert",                        written_by="alerts",  read_by=("notify", "subscribers"), compacted=True)
SOURCES      = Topic("sources",         key="what is listened to", value="SourceState",         written_by="sources", read_by=("sources", "subscribers"), compacted=True)
RULES        = Topic("rules",           key="version, or current", value="Ruleset|InForce",     written_by="people",  read_by=("workers",), sized="one", compacted=True)
# fmt: on

TOPOLOGY = (RAW, SCORED, DEAD_LETTERS, SPIKES, BRAND_STATS, ALERTS, SOURCES, RULES)
