"""What `groundswell up` shows: the live view on a terminal; elsewhere lines, as alerts come and brands stand."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from agents.cli.view.feed import follow
from agents.notifiers.log import describe
from streams.core.sanitise import one_line
from streams.records import Alert, BrandStats

if TYPE_CHECKING:
    from agents.cli.view.app import LiveView
    from agents.cli.view.model import Event
    from streams.settings import Settings

STATUS_EVERY_S = 10.0
STYLES = {"fired": "bold red", "updated": "yellow", "resolved": "bold green"}


class Screen:
    """Lines, coloured on a terminal. What is said while the live view is on is printed when it has gone."""

    def __init__(self, *, live: bool) -> None:
        """`live`: draw the live view while watching."""
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = live
        self._view: LiveView | None = None
        self._unprinted: list[Text] = []
        self._began = monotonic()
        self._brands: dict[str, BrandStats] = {}
        self._shown: dict[str, int] = {}
        self.published = 0
        self.fired = False

    def say(self, text: str, style: str = "") -> None:
        """Print lines, with the seconds since the start before the first."""
        line = Text(f"[{monotonic() - self._began:5.0f} s] {text}", style=style)
        if self._view is None:
            self._console.print(line)
        else:
            self._unprinted.append(line)
            self._view.view.note = line.plain.partition("\n")[0]

    async def watch(self, settings: Settings) -> None:
        """Show every alert's steps, and how brands stand, until cancelled; or until somebody quits the live view."""
        if self._live:
            await self._draw(settings)
        else:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow(settings, self._hear))
                tasks.create_task(self._say_status())

    async def _draw(self, settings: Settings) -> None:
        from agents.cli.view.app import LiveView  # noqa: PLC0415  nobody needs it in a pipe

        self._view = LiveView(settings, self._hear)
        drawing = asyncio.create_task(self._view.run_until_quit())
        try:
            await asyncio.shield(drawing)
        finally:
            self._view.exit()
            await drawing  # it leaves the terminal as it was
            self._view = None
            for line in self._unprinted:
                self._console.print(line)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Alert):
            self._show_alert(event)
        elif isinstance(event, BrandStats):
            self._brands[event.brand] = event

    def _show_alert(self, alert: Alert) -> None:
        if alert.change == "refreshed" or alert.step <= self._shown.get(alert.id, 0):
            return
        self._shown[alert.id] = alert.step
        self.fired |= alert.change == "fired"
        if alert.change == "updated" and alert.step > 2:
            return  # growing evidence: the first update is enough on a screen
        self.say(describe(alert, alert.id), STYLES[alert.change])

    async def _say_status(self) -> None:
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            self.say(self._status())

    def _status(self) -> str:
        at = max((stats.at for stats in self._brands.values()), default=None)
        figures = ", ".join(
            f"{one_line(brand, 20)} {stats.hour.mentions}/h ({stats.hour.negative} negative)"
            for brand, stats in sorted(self._brands.items())
        )
        heard = f"heard up to {at:%Y-%m-%d %H:%M} UTC: {figures}" if at else "listening"
        return f"{self.published:,} mentions told; {heard}"
