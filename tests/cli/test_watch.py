"""`groundswell watch`, as a person meets it: in a real terminal, over a real broker."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from agents.cli.localkafka import LocalKafka
from streams.broker import create_topics
from streams.events import headers_of
from streams.outbox import Out
from streams.records import Alert, BrandStats, SourceState, encode
from streams.settings import load_settings
from streams.topics import ALERTS, BRAND_STATS, RAW, SOURCES
from tests.cli.conftest import PARTITIONS, Terminal
from tests.cli.view.stories import afternoon, alert, source, stats
from tests.cli.view.tmux import Window, needs_tmux

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [needs_tmux, pytest.mark.timeout(240)]

KEYS = "q quit   ↑ ↓ choose   Enter evidence   ? help"
SCREENS = os.environ.get("GROUNDSWELL_SCREENS")
"""A folder in which to keep what was seen."""


def keep(name: str, screen: str) -> None:
    if SCREENS:
        (Path(SCREENS) / name).write_text(screen, encoding="utf-8")


def watching(terminal: Terminal, width: int = 80, height: int = 24) -> Window:
    return Window("watch", env=terminal.env, width=width, height=height)


def tell(terminal: Terminal, *records: Alert | BrandStats | SourceState) -> None:
    def out(record: Alert | BrandStats | SourceState) -> Out:
        match record:
            case Alert():
                topic, key = ALERTS, record.id
            case BrandStats():
                topic, key = BRAND_STATS, record.brand
            case SourceState():
                topic, key = SOURCES, record.key
        return Out(topic.full_name(terminal.settings), 1, key.encode(), encode(record), headers_of(record))

    terminal.write(map(out, records))


def now() -> datetime:
    return datetime.now(UTC)


def row_of(screen: str, start: str) -> str:
    [row] = [row for row in screen.splitlines() if row.startswith(start)]
    return row


def is_intact(screen: str, width: int, height: int) -> bool:
    """Whatever strangers wrote: each line in its place, none longer than the window."""
    rows = screen.splitlines()
    return (
        len(rows) == height
        and rows[0].startswith("Groundswell ")
        and rows[-1] == KEYS
        and all(cell_len(row) <= width for row in rows)
    )


def test_in_80x24_everything_that_matters_is_seen_and_hostile_words_are_harmless(terminal: Terminal) -> None:
    tell(terminal, *afternoon(now()))
    with watching(terminal) as window:
        screen = window.until("mentions/s", "1 open", "unheard", KEYS)
        keep("80x24.txt", screen)
        assert is_intact(screen, 80, 24), screen
        assert "▸ critical  12 min old   dell: 71 negative mentions in 30 min, 15.4 expected" in screen
        assert row_of(screen, "    17 authors; 37% negative (usually 19%)")
        assert "tom1: PWNED" in screen
        assert "mia: one two FIRED [critical] hp three four five" in screen
        assert row_of(screen, "  dell").split()[-3:] == ["181", "136.2", "224"]
        assert "learns for 2 d more" in row_of(screen, "  acme")
        assert row_of(screen, "  mastodon:mastodon.social/public waiting        20,311   4 min           7    1")
        assert "NO WORKER" in screen
        raw = window._tmux("capture-pane", "-p", "-e")
        assert "\x1b]0;owned" not in raw
        assert window._tmux("display", "-p", "#{pane_title}").strip() != "owned"


def test_a_wide_window_shows_more_and_a_resize_is_followed(terminal: Terminal) -> None:
    tell(terminal, *afternoon(now()))
    with watching(terminal, 160, 45) as window:
        screen = window.until("mentions/s", "1 open", "last hour by 1 min", KEYS)
        keep("wide.txt", screen)
        assert is_intact(screen, 160, 45), screen
        assert "[red]markup[/red] [@click=app.quit]press[/]" in screen
        assert "日本太郎日本太郎日…: 日本の電池が燃えた🔥🔥" in screen
        assert "┃" in row_of(screen, "  dell")
        window.resize(80, 24)
        assert is_intact(window.until("last hour by 4 min"), 80, 24)
        window.resize(60, 12)
        window.until("This needs 78x20 or more")


def test_with_no_data_yet_it_says_so_and_shows_what_comes(terminal: Terminal) -> None:
    with watching(terminal) as window:
        screen = window.until("0.0 mentions/s", "Alerts: none open", "None has been heard of yet", "No source has told")
        keep("no-data.txt", screen)
        tell(terminal, stats("dell", now(), minutes=[4] * 60))
        window.until("▸ dell", "240  mentions")
        tell(terminal, alert(at=now()), source(at=now(), published=7))
        window.until("▸ critical", f"{'listening':<11}{7:>10}")
        raw = RAW.full_name(terminal.settings)
        terminal.write(Out(raw, 0, b"x:%d" % n, b"{}", ()) for n in range(500))
        window.until(lambda screen: not screen.startswith("Groundswell   0.0 "))


def test_an_alert_that_is_resolved_is_open_no_more(terminal: Terminal) -> None:
    at = now()
    tell(terminal, stats(at=at), alert(at=at))
    with watching(terminal) as window:
        window.until("Alerts: 1 open")
        tell(terminal, alert(at=at, step=2, status="resolved", change="resolved", resolved_at=at))
        window.until("Alerts: none open", "▸ resolved  after 12 min")


def test_keys_choose_show_the_evidence_explain_and_quit(terminal: Terminal) -> None:
    at = now()
    tell(terminal, stats("dell", at), stats("hp", at), alert(at=at, texts=("it [bold]burns[/bold]",)))
    with watching(terminal) as window:
        window.until("▸ critical", "hp", "mentions/s")
        window.press("Enter")
        window.until("CRITICAL  dell: 17 negative", "it [bold]burns[/bold]", "https://x.example/0", "Esc back")
        window.press("Escape")
        window.until(KEYS)
        window.press("Down", "Down")
        window.until("▸ hp")
        window.press("Enter")
        window.until("counted 40,321 mentions in all")
        window.press("Enter")
        window.until("▸ hp")
        window.press("Up")
        window.until("▸ dell")
        window.press("?")
        window.until("The first line", "what sources have written to Kafka")
        window.press("q")
        ended = window.until("exit 0")
        assert " echo " in ended, "the terminal echoes again"


@pytest.mark.parametrize("how", ["ctrl-c", "terminate"])
def test_however_it_ends_the_terminal_is_as_it_was(terminal: Terminal, how: str) -> None:
    with watching(terminal) as window:
        window.until("mentions/s")
        if how == "ctrl-c":
            window.press("C-c")
        else:
            os.kill(window.pid, signal.SIGTERM)
        ended = window.until("exit 0")
        assert "mentions/s" not in ended
        assert " echo " in ended


def test_topics_that_are_missing_are_named_and_found_once_they_are_made(bare: Terminal) -> None:
    with watching(bare) as window:
        window.until(f"WAITING: topic {bare.settings.topic_prefix}", "groundswell topics create")
        asyncio.run(create_topics(bare.settings))
        window.until("0.0 mentions/s")


def test_something_else_on_a_topic_is_named_and_the_rest_goes_on(terminal: Terminal) -> None:
    terminal.write([Out(ALERTS.full_name(terminal.settings), 1, b"k", b"{}", ())])
    with watching(terminal) as window:
        window.until("this cannot be read:", "alerts, partition 1, offset 0")
        tell(terminal, stats("dell", now()))
        window.until("▸ dell")


def test_in_a_pipe_it_says_what_to_use_instead(terminal: Terminal) -> None:
    result = terminal.run("watch")
    assert result.exit_code == 1
    assert "`groundswell alerts --follow`" in result.stderr


@pytest.fixture
def mortal(tmp_path: Path, prefix: str) -> Iterator[tuple[Terminal, LocalKafka]]:
    """A broker of this test's own, to take away."""
    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    try:
        asyncio.run(broker.wait_ready())
        terminal = Terminal(
            load_settings(
                kafka_bootstrap=broker.bootstrap,
                topic_prefix=prefix,
                raw_partitions=PARTITIONS,
                keyed_partitions=PARTITIONS,
            )
        )
        asyncio.run(create_topics(terminal.settings))
        yield terminal, broker
    finally:
        broker.stop(patience_s=3)


def test_while_the_broker_is_away_it_says_so_and_it_goes_on_by_itself(mortal: tuple[Terminal, LocalKafka]) -> None:
    terminal, broker = mortal
    tell(terminal, *afternoon(now()))
    away = f"WAITING: no Kafka broker answers at {broker.bootstrap}; below is how it stood"
    with watching(terminal) as window:
        window.until("mentions/s", "Alerts: 1 open")
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert "▸ critical" in window.until(away)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        window.until("mentions/s", lambda screen: "WAITING" not in screen)

        broker.kill()
        screen = window.until(away, "▸ critical", "mastodon")
        keep("away.txt", screen)
        assert is_intact(screen, 80, 24), screen
        broker.start()
        asyncio.run(broker.wait_ready())
        window.until("mentions/s", lambda screen: "WAITING" not in screen)
        tell(terminal, stats("a new brand", now() + timedelta(minutes=1)))
        window.until("a new brand")
