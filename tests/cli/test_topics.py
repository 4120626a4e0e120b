from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from agents.cli import main
from streams.broker import wanted_topics
from streams.settings import load_settings
from streams.tables import STATE
from streams.topics import TOPOLOGY

if TYPE_CHECKING:
    from tests.cli.conftest import Terminal


def test_the_topology_needs_no_broker_and_has_a_line_for_each_topic_and_table() -> None:
    result = CliRunner(env={"GROUNDSWELL_TOPIC_PREFIX": "eu.", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}).invoke(
        main, ["topology"]
    )
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    for topic in TOPOLOGY:
        assert [f"eu.{topic.name}"] in [line[:1] for line in lines]
    for table in STATE:
        assert (table.name, table.full_name(load_settings(topic_prefix="eu."))) in [(ls[0], ls[-1]) for ls in lines]


def test_the_topology_says_how_long_each_topic_is_kept() -> None:
    env = {"GROUNDSWELL_RAW_RETENTION_S": "43200"}
    said = CliRunner(env=env).invoke(main, ["topology"]).stdout.splitlines()
    kept = {line.split()[0]: line for line in said if line}
    assert kept["mentions.raw"].rstrip().endswith("0.5 days")
    assert kept["dead-letters"].rstrip().endswith("30 days")
    assert kept["alerts"].rstrip().endswith("latest of each key")


def test_topics_are_created_once_and_named(bare: Terminal) -> None:
    first, second = bare.run("topics", "create"), bare.run("topics", "create")
    assert sorted(first.stdout.split()) == sorted(wanted_topics(bare.settings))
    assert (second.exit_code, second.stdout, second.stderr) == (0, "", "All topics are there.\n")


def test_topics_with_other_partition_counts_are_refused_one_line_each(terminal: Terminal) -> None:
    env = terminal.env | {"GROUNDSWELL_RAW_PARTITIONS": "7"}
    result = CliRunner(env=env).invoke(main, ["topics", "create"])
    assert result.exit_code == 1
    assert f"topic {terminal.settings.topic_prefix}mentions.raw has 2 partitions, the settings say 7" in result.stderr
