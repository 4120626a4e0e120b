from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.cli import main
from streams.broker import create_topics
from streams.outbox import Outbox
from streams.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.testing import Result

    from streams.outbox import Out

PARTITIONS = 2


@dataclass(frozen=True)
class Terminal:
    """The command line against topics of this test's own."""

    settings: Settings

    @property
    def env(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "GROUNDSWELL_TOPIC_PREFIX": self.settings.topic_prefix,
            "GROUNDSWELL_RAW_PARTITIONS": str(self.settings.raw_partitions),
            "GROUNDSWELL_KEYED_PARTITIONS": str(self.settings.keyed_partitions),
        }

    def run(self, *arguments: str, answer: str = "") -> Result:
        return CliRunner(env=self.env).invoke(main, arguments, input=answer)

    def write(self, outs: Iterable[Out]) -> None:
        """Put records on topics, as an agent would, in order."""

        async def deliver() -> None:
            outbox = Outbox(self.settings)
            await outbox.on_start()
            try:
                await outbox.deliver(outs)
            finally:
                await outbox.on_stop()

        asyncio.run(deliver())


@pytest.fixture
def bare(kafka, prefix: str) -> Terminal:
    """A broker without topics."""
    return Terminal(
        load_settings(
            kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, raw_partitions=PARTITIONS, keyed_partitions=PARTITIONS
        )
    )


@pytest.fixture
def terminal(bare: Terminal) -> Terminal:
    """A broker with all topics."""
    asyncio.run(create_topics(bare.settings))
    return bare
