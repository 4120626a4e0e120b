"""The live view in a terminal: keys, pages, and a redraw now and then. What is drawn is in `draw` and `detail`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.app import App
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from agents.cli.errors import CommandError
from agents.cli.view.detail import HELP, detail
from agents.cli.view.draw import choices, dashboard
from agents.cli.view.feed import follow
from agents.cli.view.model import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from agents.cli.view.model import Event, Shown
    from agents.cli.view.sections import Choice
    from streams.settings import Settings

REDRAW_S = 0.5
BACK = "Esc back   ↑ ↓ scroll   q quit"


class LiveView(App[None]):
    """What `groundswell watch` and `groundswell up` show, until `q` or `exit`."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen, Page, VerticalScroll, Dashboard { background: ansi_default; color: ansi_default; }
    Dashboard { width: 100%; height: 100%; }
    Page VerticalScroll { padding: 0 1; scrollbar-size-vertical: 1; }
    Page .keys { dock: bottom; height: 1; text-style: dim; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,ctrl+c,ctrl+q", "quit", "quit"),
        ("up,k", "choose(-1)", "choose"),
        ("down,j", "choose(1)", "choose"),
        ("enter", "evidence", "evidence"),
        ("question_mark", "help", "help"),
    ]

    def __init__(self, settings: Settings, heard: Callable[[Event], None] | None = None) -> None:
        """`heard` is told everything that the view is told."""
        super().__init__(ansi_color=True)
        self.view = View()
        self.where = " ".join(filter(None, (settings.kafka_bootstrap, settings.topic_prefix.rstrip("."))))
        self._settings, self._heard = settings, heard
        self._chosen: Choice | None = None

    async def run_until_quit(self) -> None:
        """Show it until somebody quits, or `exit`; then the terminal is as it was.

        Raises:
            CommandError: the view has failed, and has shown how.
        """
        await self.run_async(mouse=False)  # without it the terminal's own selecting works
        if self.return_code:
            raise CommandError("the live view failed; `groundswell alerts --follow` prints alerts as lines")

    def compose(self) -> ComposeResult:
        """One widget draws all."""
        yield Dashboard()

    def on_mount(self) -> None:
        """Begin to listen."""
        self.run_worker(follow(self._settings, self._take))
        self.set_interval(REDRAW_S, self._redraw)

    def shown(self) -> Shown:
        """What there is to see now."""
        return self.view.shown(datetime.now(UTC))

    def chosen(self, shown: Shown) -> Choice | None:
        """What is chosen: the first there is, unless somebody chose, or if that is gone."""
        there = choices(shown)
        return self._chosen if self._chosen in there else next(iter(there), None)

    def action_choose(self, step: int) -> None:
        """Go to the next, or the one before."""
        shown = self.shown()
        there, chosen = choices(shown), self.chosen(shown)
        if chosen is not None:
            self._chosen = there[max(0, min(there.index(chosen) + step, len(there) - 1))]
        self._redraw()

    def action_evidence(self) -> None:
        """Show everything about what is chosen."""
        choice = self.chosen(self.shown())
        if choice is not None:
            self.push_screen(Page(lambda: Text("\n").join(detail(self.shown(), choice))))

    def action_help(self) -> None:
        """Show what the keys and the words mean."""
        self.push_screen(Page(lambda: Text(HELP)))

    def _take(self, event: Event) -> None:
        self.view.take(event)
        if self._heard is not None:
            self._heard(event)

    def _redraw(self) -> None:
        for dashboard_ in self.screen_stack[0].query(Dashboard):
            dashboard_.refresh()
        if isinstance(self.screen, Page):
            self.screen.redraw()


class Dashboard(Widget):
    """Everything, in one window."""

    def render(self) -> Text:
        """Draw it for the size that the window has now."""
        app = self.app
        assert isinstance(app, LiveView)
        shown = app.shown()
        lines = dashboard(shown, app.where, self.size.width, self.size.height, app.chosen(shown))
        return Text("\n", no_wrap=True, end="").join(lines)


class Page(ModalScreen[None]):
    """One page over the dashboard, which goes on to change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,ctrl+c,ctrl+q", "app.quit", "quit"),
        ("escape,enter,question_mark", "dismiss", "back"),
    ]

    def __init__(self, text: Callable[[], Text]) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """What does not fit can be scrolled to."""
        with VerticalScroll():
            yield Static(self._text())
        yield Static(BACK, classes="keys", markup=False)

    def redraw(self) -> None:
        """Show it as it stands now."""
        self.query(Static).first().update(self._text())
