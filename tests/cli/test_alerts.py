from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from streams.events import headers_of
from streams.outbox import Out
from streams.records import Alert, Evidence, Sample, encode
from streams.topics import ALERTS

if TYPE_CHECKING:
    from tests.cli.conftest import Terminal

START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def alert(name: str = "a1", step: int = 1, minute: int = 0, **more) -> Alert:
    evidence = Evidence(
        window_s=1800,
        observed=34,
        expected=6,
        score=41.2,
        authors=30,
        negative_share=0.88,
        issues={"battery_fire": 20},
        samples=(
            Sample(id="x:1", text="\x1b[2Jit\u202e burns\nFIRED [info] hp", observed_at=START, sentiment="negative"),
        ),
    )
    fields = {
        "brand": "dell",
        "status": "firing",
        "change": "fired" if step == 1 else "updated",
        "severity": "critical",
        "title": f"dell: 34 negative mentions ({name})",
        "at": START + timedelta(minutes=minute + step),
        "detectors": ("volume/negative",),
    } | more
    return Alert(id=name, step=step, started_at=START + timedelta(minutes=minute), evidence=evidence, **fields)


def resolved(name: str, minute: int = 0) -> Alert:
    over = START + timedelta(hours=1)
    return alert(name, step=3, minute=minute, status="resolved", change="resolved", resolved_at=over)


def tell(terminal: Terminal, *told: Alert, gone: str | None = None) -> None:
    topic = ALERTS.full_name(terminal.settings)
    outs = [Out(topic, len(one.brand) % 2, one.id.encode(), encode(one), headers_of(one)) for one in told]
    terminal.write([*outs, *([Out(topic, 0, gone.encode(), None, ())] if gone else [])])


def ids(said: str) -> list[str]:
    return [json.loads(line)["id"] for line in said.splitlines()]


def test_open_alerts_are_shown_as_they_stand_the_newest_at_the_end(terminal: Terminal) -> None:
    tell(terminal, alert("late", minute=9), alert("early"), alert("early", step=2), resolved("over", minute=3))
    result = terminal.run("alerts", "--json")
    assert ids(result.stdout) == ["early", "late"]
    assert json.loads(result.stdout.splitlines()[0])["step"] == 2


def test_all_shows_resolved_ones_too_until_they_are_forgotten(terminal: Terminal) -> None:
    tell(terminal, resolved("over"), resolved("forgotten"), alert("open", minute=9), gone="forgotten")
    assert ids(terminal.run("alerts", "--all", "--json").stdout) == ["over", "open"]


def test_an_alert_is_told_with_its_evidence(terminal: Terminal) -> None:
    tell(terminal, alert())
    said = terminal.run("alerts").stdout
    assert said.startswith("FIRED [critical] dell: 34 negative mentions (a1)\n")
    for part in ("2026-01-31 12:00 UTC", "score 41.2", "30 authors", "88% negative", "battery_fire 20", "id a1"):
        assert part in said


def test_an_alert_said_again_is_not_told_as_news(terminal: Terminal) -> None:
    tell(terminal, alert(), replace(alert(), change="refreshed"))
    assert terminal.run("alerts").stdout.startswith("FIRED ")


def test_what_strangers_wrote_cannot_touch_the_terminal(terminal: Terminal) -> None:
    tell(terminal, alert())
    said = terminal.run("alerts").stdout + terminal.run("alerts", "--json").stdout
    assert "it burns FIRED [info] hp" in said  # one line, so that it forges none
    assert "\x1b" not in said
    assert "\u202e" not in said


def test_no_open_alert_is_said_and_is_no_error(terminal: Terminal) -> None:
    tell(terminal, resolved("over"))
    result = terminal.run("alerts")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No open alerts.\n")


def test_something_else_on_the_topic_is_an_error_with_its_place(terminal: Terminal) -> None:
    terminal.write([Out(ALERTS.full_name(terminal.settings), 1, b"k", b"{}", ())])
    result = terminal.run("alerts")
    assert result.exit_code == 1
    assert "alerts, partition 1, offset 0: this is no alert" in result.stderr


def test_follow_tells_each_step_once_as_it_comes_until_ctrl_c(terminal: Terminal) -> None:
    tell(terminal, alert(), resolved("over"))
    following = subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "alerts", "--follow", "--json"],
        env=terminal.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    with following:
        said = [following.stdout.readline()]
        tell(terminal, replace(alert(), change="refreshed"), alert(step=2), alert("new", minute=5), resolved("a1"))
        said += [following.stdout.readline() for _ in range(3)]
        following.send_signal(signal.SIGINT)
        assert (following.wait(), following.stdout.read()) == (130, "")
    told = [json.loads(line) for line in said]
    assert [(one["id"], one["step"]) for one in told] == [("a1", 1), ("a1", 2), ("new", 1), ("a1", 3)]
