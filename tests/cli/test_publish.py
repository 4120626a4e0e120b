from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

from click.testing import CliRunner

from agents.cli import main
from agents.cli.read import reading
from streams.topics import RAW

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Terminal

SUMMARY = r"^[\d,]+ mentions published in \d+\.\d s, [\d,]+/s$"


def in_raw(terminal: Terminal) -> list[bytes]:
    async def read() -> list[bytes]:
        async with reading(terminal.settings, RAW) as reader:
            return [record.value async for record in reader.to_end()]

    return asyncio.run(read())


def csv(folder: Path, header: str = "id,body,created_at") -> Path:
    file = folder / "posts.csv"
    file.write_text(f"{header}\n1,my laptop is on fire,2015-02-24T11:35:52Z\n2,fine here,2015-02-24T11:36:00Z\n")
    return file


def test_a_file_is_published_and_counted(terminal: Terminal, tmp_path: Path) -> None:
    result = terminal.run("replay", str(csv(tmp_path)))
    assert result.exit_code == 0
    assert re.match(SUMMARY, result.stdout)
    assert result.stdout.startswith("2 mentions published")
    assert len(in_raw(terminal)) == 2


def test_guessed_columns_are_told(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.run("replay", str(csv(tmp_path))).stderr
    assert "guessed: text from column 'body'\n" in said
    assert "guessed: observed_at from column 'created_at'\n" in said


def test_mapped_columns_and_times_go_as_they_are_asked_for(terminal: Terminal, tmp_path: Path) -> None:
    file = csv(tmp_path, header="id,what,created_at")
    said = terminal.run("replay", str(file), "--map", "text=what,source='shop'", "--shifted", "--speed", "1000000x")
    assert "guessed: text" not in said.stderr
    assert all(b'"source":"shop"' in value and b"2015-02-24" not in value for value in in_raw(terminal))


def test_a_file_that_cannot_be_read_is_an_error_with_the_columns_there_are(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["replay", str(csv(tmp_path, header="a,b,c"))])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no column for 'text'")
    assert "'a', 'b', 'c'" in result.stderr


def test_an_unknown_scenario_is_an_error() -> None:
    result = CliRunner().invoke(main, ["simulate", "no-such-story"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "dell-batteries" in result.stderr


def test_missing_topics_are_an_error_and_nothing_is_claimed(bare: Terminal, tmp_path: Path) -> None:
    result = bare.run("replay", str(csv(tmp_path, header="id,text,created_at")))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{bare.settings.topic_prefix}sources does not exist" in result.stderr


def test_ctrl_c_ends_a_story_with_the_count_of_what_kafka_has(terminal: Terminal) -> None:
    told = subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "simulate"],
        env=terminal.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with told:
        assert told.stderr.readline().startswith("simulate: ")  # the first of its lines of progress
        told.send_signal(signal.SIGINT)
        out, err = told.communicate()
    assert told.returncode == 130
    assert "Traceback" not in err
    assert re.match(SUMMARY, out)
    assert 1000 <= int(out.split()[0].replace(",", "")) <= len(in_raw(terminal))


def test_a_listener_gives_prometheus_its_metrics_and_says_where_nobody_can_listen(
    terminal: Terminal, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = terminal.run("listen", "--http-port", str(port), "replay", f"file={csv(tmp_path)}")
        assert result.exit_code == 1
        assert f"nobody can listen at 127.0.0.1:{port}" in result.stderr
    told = subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "listen", "--http-port", str(port), "simulate"],
        env=terminal.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with told:
        assert told.stderr.readline().startswith("simulate: ")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
        told.send_signal(signal.SIGTERM)
        told.communicate()
    assert told.returncode == 0
    assert 'groundswell_source_up{listened_to="simulate"} 1.0' in metrics
    assert re.search(r'^groundswell_source_published_total{source="simulate"} [1-9]', metrics, re.MULTILINE)


def test_a_listener_that_others_may_ask_needs_a_token(terminal: Terminal, tmp_path: Path) -> None:
    result = CliRunner(env={**terminal.env, "GROUNDSWELL_HTTP_HOST": "0.0.0.0"}).invoke(
        main, ["listen", "--http-port", "18999", "replay", f"file={csv(tmp_path)}"]
    )
    assert result.exit_code == 1
    assert "GROUNDSWELL_HTTP_TOKEN" in result.stderr
