"""The topology is one table; what agents do must agree with it."""

from __future__ import annotations

import pytest

from agents.main import build
from streams.broker import BrokerError, check_topics, create_topics, wanted_topics
from streams.settings import Settings, load_settings
from streams.tables import STATE
from streams.topics import CLOSED_AFTER_MS, RAW, TOPOLOGY

RULES = "ruleset: r\nbrands:\n  - {id: acme, role: own, match: acme}\n"


@pytest.fixture
def settings(tmp_path) -> Settings:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    return load_settings(rules=rules, data_dir=tmp_path)


def test_every_agent_reads_what_the_topology_says(settings):
    reading = {(ledger.agent, ledger.topic) for ledger in build(settings).ledgers}

    assert reading == {
        (agent, topic.name)
        for topic in TOPOLOGY
        for agent in topic.read_by
        if agent not in ("people", "sources", "subscribers", "workers")
    }


def test_every_table_follows_the_topic_that_its_owner_reads_with_as_many_partitions(settings):
    by_name = {topic.name: topic for topic in TOPOLOGY}
    for table in STATE:
        topic = by_name[table.follows]
        assert table.owner in topic.read_by
        assert table.partitions(settings) == topic.partitions(settings)


def test_topics_that_are_read_to_count_are_never_compacted():
    assert not any(topic.compacted for topic in TOPOLOGY if {"intake", "detect", "alerts"} & set(topic.read_by))


def test_whatever_is_replaced_or_has_expired_is_gone_within_a_day(settings):
    for name, (_, config) in wanted_topics(settings).items():
        assert config["segment.ms"] == str(CLOSED_AFTER_MS), name
        if "compact" in config["cleanup.policy"]:
            assert config["max.compaction.lag.ms"] == str(CLOSED_AFTER_MS), name


def test_a_dead_letter_fits_whatever_raw_may_hold():
    assert next(topic for topic in TOPOLOGY if topic.name == "dead-letters").max_bytes > RAW.max_bytes


async def test_topics_are_created_once_with_their_partitions(kafka, prefix):
    wanted = load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, raw_partitions=3, keyed_partitions=2)

    assert await create_topics(wanted) == sorted(wanted_topics(wanted))
    assert await create_topics(wanted) == []
    await check_topics(wanted)


async def test_other_partition_counts_are_refused_with_what_was_found_and_what_to_do(kafka, prefix):
    await create_topics(load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, raw_partitions=3))

    with pytest.raises(BrokerError, match=r"mentions\.raw has 3 partitions, the settings say 4.*RAW_PARTITIONS"):
        await check_topics(load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix))


async def test_missing_topics_are_refused_with_the_command_that_makes_them(kafka, prefix):
    with pytest.raises(BrokerError, match=r"does not exist: run `groundswell topics create`"):
        await check_topics(load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix))


async def test_no_broker_is_one_clear_error():
    with pytest.raises(BrokerError, match=r"no Kafka broker answers at 127\.0\.0\.1:1 \(KAFKA_BOOTSTRAP\)"):
        await check_topics(load_settings(kafka_bootstrap="127.0.0.1:1"))
