"""What the guide tells a stranger to do works: its examples, run as processes against a real run, and its lines of kcat."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter

import pytest
from aiokafka.partitioner import murmur2

from agents.alerts import TOMBSTONE_AFTER
from streams.contracts import FOLDER
from streams.core.parse import parse
from streams.records import Mention
from streams.topics import DAY_S, SCORED, SPIKES
from tests.contracts.run import BURSTING, HOSTILE, Run
from tests.faults.harness import Eyes

pytestmark = pytest.mark.timeout(300)

GUIDE = (FOLDER / "README.md").read_text(encoding="utf-8")


# -- the stranger's test: open alerts, from nothing but the AsyncAPI document and the guide ------------------


def shown(said: str) -> list[tuple[str, int, str]]:
    """What was shown of alerts: open or resolved, the step, and the whole of it with its evidence."""
    blocks = re.split(r"^(?=OPEN|RESOLVED|\d+ open$)", said, flags=re.MULTILINE)
    steps = [(block, re.search(r"step (\d+)$", block, re.MULTILINE)) for block in blocks]
    return [(block.split()[0], int(step[1]), block) for block, step in steps if step]


def test_the_stranger_shows_each_step_once_though_all_were_sent_again(run: Run):
    sent = Counter(
        json.loads(record.value)["step"]
        for record in run.of("alerts", brand=BURSTING)
        if record.value and json.loads(record.value)["change"] != "refreshed"
    )
    assert max(sent.values()) > 1

    steps = [step for _, step, _ in shown(run.followed)]

    assert steps == sorted(sent)


def test_the_stranger_shows_the_evidence_of_an_open_alert(run: Run):
    [(status, _, block)] = shown(run.while_open)

    assert status == "OPEN"
    assert f"{BURSTING}: " in block
    assert re.search(r"\d+ in 30 min where [\d.]+ are usual, score [\d.]+; \d+ authors, \d+% negative", block)
    assert re.search(r"^  sources: unrest \d+$", block, re.MULTILINE)
    assert len(re.findall(r"^  - .*acme.*https://social\.example/", block, re.MULTILINE)) >= 1


def test_the_stranger_no_longer_shows_a_mention_that_was_deleted(run: Run):
    url = f"/{run.removed.partition(':')[2]}\n"
    steps = [block for _, _, block in shown(run.followed)]
    with_it = [place for place, block in enumerate(steps) if url in block]

    assert with_it, "it was shown before"
    assert with_it[-1] < len(steps) - 2, "then once more, open and without it; and then resolved"
    assert url not in run.while_open


def test_the_stranger_is_told_when_it_is_over_and_whoever_comes_then_sees_nothing_open(run: Run):
    assert [status for status, _, _ in shown(run.followed)].count("RESOLVED") == 1
    assert shown(run.followed)[-1][0] == "RESOLVED"
    assert run.when_resolved.split() == ["0", "open"]


def test_the_stranger_survives_tombstones(run: Run):
    assert any(record.key == run.fired.id.encode() and record.value is None for record in run.records["alerts"])
    assert run.in_the_end.split() == ["0", "open"]


def test_nothing_that_a_hostile_author_wrote_reaches_the_strangers_terminal(run: Run):
    assert any(
        HOSTILE.encode() in json.loads(one.value)["author_name"].encode() for one in run.of("mentions.raw", lang="en")
    )
    assert not [character for character in run.followed if character in HOSTILE and not character.isprintable()]


def test_who_counts_as_the_guide_says_counts_every_mention_once_through_crashes_of_both(run: Run):
    assert run.counted == run.told


# -- kcat ----------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(run: Run) -> list[str]:
    """The guide's commands, for the run's broker and topics."""
    if shutil.which("kcat") is None:
        pytest.skip("the guide's lines need kcat: apt-get install kcat")
    [block] = [block for block in re.findall(r"^```\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL) if "kcat" in block]
    block = block.replace("127.0.0.1:9092", run.settings.kafka_bootstrap)
    block = re.sub(r"-t (\S+)", rf"-t {run.settings.topic_prefix}\1", block)
    return block.replace("|\n", "| ").splitlines()


def bash(line: str) -> str:
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, check=True, timeout=60)
    return done.stdout.decode(errors="replace")


def test_kcat_shows_every_alert_and_tombstone(run: Run, lines: list[str]):
    [line] = [line for line in lines if "kcat -C" in line]
    said = [one.partition(" ")[2] for one in bash(line).splitlines()]

    stood = [record.value for record in run.records["alerts"] if record.value is not None]
    assert sorted(one for one in said if one != "NULL")[: len(stood)] == sorted(value.decode() for value in stood)
    assert said.count("NULL") >= len(run.records["alerts"]) - len(stood)


async def test_kcat_writes_a_mention_to_the_partition_in_which_an_edit_would_meet_it(run: Run, lines: list[str]):
    [line] = [line for line in lines if "kcat -P" in line]
    ids = [f"mine:{number}" for number in range(2, 10)]
    for name in ids:
        bash(line.replace("mine:1", name))
        bash(line.replace("mine:1", f"stray:{name}").replace("-X partitioner=murmur2_random", ""))

    async with Eyes(run.settings.kafka_bootstrap) as eyes:
        raw = await eyes.read(f"{run.settings.topic_prefix}mentions.raw")
    written = {record.key: record for record in raw}

    def is_where_it_belongs(name: str) -> bool:
        key = name.encode()
        return written[key].partition == (murmur2(key) & 0x7FFFFFFF) % run.settings.raw_partitions

    assert all(isinstance(parse(name.encode(), written[name.encode()].value), Mention) for name in ids)
    assert all(map(is_where_it_belongs, ids))
    assert not all(is_where_it_belongs(f"stray:{name}") for name in ids), "then nobody would have to be told"


# -- what it says in figures -----------------------------------------------------------------------------------


def test_the_guide_says_for_how_long_things_are_kept():
    assert (
        f"`mentions.scored` is kept for {SCORED.retention_s // DAY_S} days, `spikes` for {SPIKES.retention_s // DAY_S}"
        in GUIDE
    )
    assert f"an alert {TOMBSTONE_AFTER.days} days after it was resolved" in GUIDE


def test_the_guide_is_a_page():
    assert len(GUIDE.splitlines()) <= 80
