"""What `groundswell up` shows: alerts as they come, and how the brands stand meanwhile."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.text import Text

from agents.notifiers.log import describe
from streams.core.sanitise import one_line
from streams.records import Alert, BrandStats
from streams.topics import ALERTS, BRAND_STATS

if TYPE_CHECKING:
    from streams.settings import Settings

STATUS_EVERY_S = 10.0
STYLES = {"fired": "bold red", "updated": "yellow", "resolved": "bold green"}


class Screen:
    """Plain lines, coloured on a terminal; on a terminal the last line is the state of things."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = self._console.status("") if self._console.is_terminal else None
        self._began = monotonic()
        self._brands: dict[str, BrandStats] = {}
        self._shown: dict[str, int] = {}
        self.published = 0
        self.fired = False

    def say(self, text: str, style: str = "") -> None:
        """Print lines, with the seconds since the start before the first."""
        self._console.print(Text(f"[{monotonic() - self._began:5.0f} s] {text}", style=style))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()

    async def watch(self, settings: Settings) -> None:
        """Show every alert's steps, and the brands' figures, until cancelled."""
        topics = (ALERTS.full_name(settings), BRAND_STATS.full_name(settings))
        consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest")
        consumer.assign(
            [TopicPartition(topic, number) for topic in topics for number in range(settings.keyed_partitions)]
        )
        await consumer.start()
        status = asyncio.create_task(self._show_status())
        try:
            async for record in consumer:
                if record.topic == topics[0] and record.value is not None:
                    self._show_alert(msgspec.json.decode(record.value, type=Alert))
                elif record.value is not None:
                    stats = msgspec.json.decode(record.value, type=BrandStats)
                    self._brands[stats.brand] = stats
        finally:
            status.cancel()
            await consumer.stop()

    def _show_alert(self, alert: Alert) -> None:
        if alert.change == "refreshed" or alert.step <= self._shown.get(alert.id, 0):
            return
        self._shown[alert.id] = alert.step
        self.fired |= alert.change == "fired"
        if alert.change == "updated" and alert.step > 2:
            return  # growing evidence: the first update is enough on a screen
        self.say(describe(alert, alert.id), STYLES[alert.change])

    async def _show_status(self) -> None:
        if self._live is not None:
            self._live.start()
        while True:
            await asyncio.sleep(0.5 if self._live else STATUS_EVERY_S)
            if self._live is not None:
                self._live.update(self._status())
            else:
                self.say(self._status())

    def _status(self) -> str:
        at = max((stats.at for stats in self._brands.values()), default=None)
        figures = ", ".join(
            f"{one_line(brand, 20)} {stats.hour.mentions}/h ({stats.hour.negative} negative)"
            for brand, stats in sorted(self._brands.items())
        )
        heard = f"heard up to {at:%Y-%m-%d %H:%M} UTC: {figures}" if at else "listening"
        return f"{self.published:,} mentions told; {heard}"
