"""The topology: one line a topic. Read it aloud and you know the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from streams.settings import Settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """One Kafka topic: what it carries, who writes it (exactly one), who reads it, how long it is kept.

    `compacted` topics hold the latest value of each key for good. The others are kept for
    `retention_s` seconds (0: as long as raw) by log-append time, so that replaying old posts does
    not expire them at once. `sized` says whether its partition count is the raw or the keyed one.
    """

    name: str
    key: str
    value: str
    written_by: str
    read_by: tuple[str, ...]
    sized: Literal["raw", "keyed"] = "keyed"
    compacted: bool = False
    retention_s: int = 7 * 86_400
    max_bytes: int = MIB

    def partitions(self, settings: Settings) -> int:
        """How many partitions it has, fixed when it is created."""
        return settings.raw_partitions if self.sized == "raw" else settings.keyed_partitions

    def full_name(self, settings: Settings) -> str:
        """Its name on the broker."""
        return settings.topic_prefix + self.name

    def config(self, settings: Settings) -> dict[str, str]:
        """Its configuration on the broker."""
        if self.compacted:
            return {"cleanup.policy": "compact", "max.message.bytes": str(self.max_bytes)}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str((self.retention_s or settings.raw_retention_s) * 1000),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(self.max_bytes),
        }


# fmt: off
RAW          = Topic("mentions.raw",    key="mention id", value="Mention",                      written_by="sources", read_by=("intake",), sized="raw", retention_s=0, max_bytes=2 * MIB)
SCORED       = Topic("mentions.scored", key="brand",      value="ScoredMention|Removal|Mark",   written_by="intake",  read_by=("detect",))
DEAD_LETTERS = Topic("dead-letters",    key="as it came", value="the original bytes",           written_by="intake",  read_by=("people",), sized="raw", retention_s=30 * 86_400, max_bytes=4 * MIB)
SPIKES       = Topic("spikes",          key="brand",      value="Finding|Removal|Mark",         written_by="detect",  read_by=("alerts",), retention_s=30 * 86_400)
BRAND_STATS  = Topic("brand-stats",     key="brand",      value="BrandStats",                   written_by="detect",  read_by=("subscribers",), compacted=True)
ALERTS       = Topic("alerts",          key="alert id",   value="Alert",                        written_by="alerts",  read_by=("notify", "subscribers"), compacted=True)
# fmt: on

TOPOLOGY = (RAW, SCORED, DEAD_LETTERS, SPIKES, BRAND_STATS, ALERTS)
