"""The whole product as a person meets it: one command, a story, an alert on the screen and at the pager."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from agents.sources.scenario import BUNDLED
from tests.cli.view.tmux import Window, needs_tmux
from tests.sources.standins.bluesky import BlueskyStandIn

if TYPE_CHECKING:
    from agents.cli.localkafka import LocalKafka

SECRET = "whsec_" + "c2VjcmV0" * 4
pytestmark = pytest.mark.timeout(300)


def quicker_story(folder: Path, speed: int) -> Path:
    """The bundled story, told faster, and with a shorter past."""
    story = yaml.safe_load((BUNDLED / "dell-batteries.yaml").read_text())
    story |= {"speed": speed, "history_days": 5, "rules": str(BUNDLED / "dell-batteries.rules.yaml")}
    path = folder / "story.yaml"
    path.write_text(yaml.safe_dump(story))
    return path


async def run_up(kafka: LocalKafka, data: Path, *options: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agents.cli", "--kafka", kafka.bootstrap, "--data-dir", str(data), "up", *options),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_the_battery_story_fires_and_resolves_on_screen_and_at_the_webhook_and_the_accounts_add_up(
    kafka, tmp_path
):
    heard: list[dict] = []

    async def pager(request: web.Request) -> web.Response:
        Webhook(SECRET).verify(await request.read(), dict(request.headers))
        heard.append({"id": request.headers["webhook-id"]} | await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", pager)
    async with TestServer(app) as server:
        process = await run_up(
            kafka,
            tmp_path,
            *("--scenario", str(quicker_story(tmp_path, speed=900)), "--for", "45s"),
            GROUNDSWELL_NOTIFY='["log", "webhook"]',
            GROUNDSWELL_WEBHOOK_URL=str(server.make_url("/")),
            GROUNDSWELL_WEBHOOK_SECRET=SECRET,
        )
        shown = (await process.communicate())[0].decode()

    assert process.returncode == 0, shown
    assert re.search(r"set-up done.*FIRED \[\w+\] dell: \d+ people on battery fire.*RESOLVED", shown, re.DOTALL), shown
    assert re.search(
        r"FIRED.*battery_fire \d+.*- \d\d:\d\d \w+: .*(?:batter|burst|smoke|fire)", shown, re.DOTALL | re.IGNORECASE
    )

    steps = [(one["type"], one["data"]["brand"]) for one in heard]
    assert steps[0] == ("alert.fired", "dell")
    assert steps.count(("alert.fired", "dell")) == steps.count(("alert.resolved", "dell")) == 1
    assert len({one["id"] for one in heard}) == len(heard), "each step is told once"

    sources = re.findall(r"^  (\w+): ([\d,]+) = ([\d,+ ]+)$", shown, re.MULTILINE)
    assert len(sources) >= 3
    for _, received, classes in sources:
        assert number(received) == sum(map(number, classes.split("+")))
    brands = re.findall(r"^  (\w+): [\d,]+ scored = ", shown, re.MULTILINE)
    assert set(brands) == {"dell", "hp", "lenovo"}


def number(text: str) -> int:
    return int(text.strip().replace(",", ""))


@needs_tmux
def test_on_a_terminal_the_live_view_shows_the_story_and_q_stops_everything(kafka, tmp_path):
    data, story = tmp_path / "data", quicker_story(tmp_path, speed=300)
    options = ("--kafka", kafka.bootstrap, "--data-dir", str(data), "up", "--scenario", str(story))
    with Window(*options, env={}, width=100, height=30) as window:
        window.until(
            "Alerts: 1 open",
            "people on battery fire",
            "speaks at",
            re.compile("simulate +listening").search,
            patience_s=90,
        )
        window.press("q")
        window.until("exit 0", patience_s=20)
        assert re.search(r"set-up done.*FIRED \[\w+\] dell.*stopping \.\.\.\s+exit 0", window.scrolled, re.DOTALL)
    assert not workers_of(data)


async def test_ctrl_c_stops_everything_within_ten_seconds(kafka, tmp_path):
    process = await run_up(kafka, tmp_path)
    assert process.stdout is not None
    while b"set-up done" not in (line := await process.stdout.readline()):
        assert line, "it ended before it was set up"

    asked_at = monotonic()
    process.send_signal(signal.SIGINT)
    await process.communicate()

    assert process.returncode == 0
    assert monotonic() - asked_at < 10
    assert not workers_of(tmp_path)


def workers_of(data: Path) -> list[str]:
    """Processes that still work in this data folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"GROUNDSWELL_DATA_DIR={data}".encode() in (process / "environ").read_bytes():
                found.append(process.name)
    return found


@pytest.mark.long
async def test_a_persons_own_posts_go_through_the_same_flow(kafka, tmp_path):
    posts = tmp_path / "posts.csv"
    lines = [
        f"2026-01-0{day} 1{hour}:00:00,{'acme again!' if hour % 2 else 'lovely weather'}"
        for day in range(1, 5)
        for hour in range(9)
    ]
    posts.write_text("\n".join(["when,said", *lines, "yesterday-ish,acme acme"]))
    rules = tmp_path / "mine.yaml"
    rules.write_text("ruleset: mine\nbrands:\n  - {id: acme, role: own, match: acme}\n")

    process = await run_up(
        kafka,
        tmp_path,
        "--input",
        str(posts),
        "--map",
        "text=said,observed_at=when",
        "--rules",
        str(rules),
        "--for",
        "25s",
    )
    shown = (await process.communicate())[0].decode()

    assert process.returncode == 0, shown
    assert re.search(r"^  replay: 36 = 16 \+ 20 \+ 0 \+ 0 \+ 0 \+ 0$", shown, re.MULTILINE), shown
    assert re.search(r"^  unreadable: 1 = 0 \+ 0 \+ 0 \+ 0 \+ 1 \+ 0$", shown, re.MULTILINE), shown
    assert "acme: 16 scored" in shown


async def test_real_sources_are_listened_to_and_the_next_run_goes_on_where_this_one_stopped(kafka, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("ruleset: mine\nbrands:\n  - {id: us, role: own, match: bluesky}\n")
    async with BlueskyStandIn() as network:
        host = f"bluesky host={network.options['host']}"
        shown = []
        for _ in range(2):
            missed = await network.say(5)  # while nobody listens
            process = await run_up(kafka, tmp_path, "--source", host, "--rules", str(rules), "--for", "10s")
            lines: list[str] = []
            async for line in process.stdout:
                lines.append(line.decode())
                if "set-up done" in lines[-1]:
                    while not network.connections:  # noqa: ASYNC110  the other side tells nobody
                        await asyncio.sleep(0.05)
                    await network.say(20)
            assert await process.wait() == 0, lines
            shown.append("".join(lines))
    assert re.search(r"^  bluesky: (\d+) = \1 \+ 0 \+ 0 \+ 0 \+ 0 \+ 0$", shown[0], re.MULTILINE), shown[0]
    counted = [int(re.search(r"  us: (\d+) scored = \1 applied", one)[1]) for one in shown]
    assert len(missed) + 20 <= counted[1] - counted[0] <= len(missed) + 20 + 25, shown[1]


async def test_without_a_network_real_sources_say_so_at_once_and_what_to_try_instead(kafka, tmp_path):
    (tmp_path / "rules.yaml").write_text("ruleset: mine\nbrands:\n  - {id: us, role: own, match: us}\n")
    began = monotonic()
    nobody = "bluesky host=ws://127.0.0.1:9"
    process = await run_up(kafka, tmp_path, "--source", nobody, "--rules", str(tmp_path / "rules.yaml"))
    shown = (await process.communicate())[0].decode()
    assert process.returncode == 1
    assert monotonic() - began < 10
    assert "ws://127.0.0.1:9 does not answer" in shown
    assert "make run INPUT=posts.csv" in shown
    assert "Kafka" not in shown
