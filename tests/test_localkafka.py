from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.cli.kafkajars import LocalKafkaError
from agents.cli.localkafka import LocalKafka

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalKafka]:
    """A broker that a test may end, unlike the session's."""
    broker = LocalKafka(tmp_path / "a folder, für Kafka")
    yield broker
    broker.kill()


async def write(broker: LocalKafka, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def read_first(broker: LocalKafka, topic: str) -> bytes:
    async with AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return (await consumer.getone()).value


@pytest.mark.kafka
@pytest.mark.parametrize("end", [LocalKafka.stop, LocalKafka.kill])
async def test_what_was_acknowledged_survives_a_stop_and_a_crash(own, end):
    assert own.start()
    await own.wait_ready()
    bootstrap = own.bootstrap
    await write(own, "diary", b"still here")
    end(own)

    own.start()
    await own.wait_ready()

    assert own.bootstrap == bootstrap
    assert await read_first(own, "diary") == b"still here"


@pytest.mark.kafka
async def test_a_stopped_broker_leaves_no_process_behind(own):
    own.start()
    pid = own.pid
    await own.wait_ready()

    own.stop()

    assert own.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.kafka
def test_a_second_start_uses_the_broker_that_runs_already(kafka):
    second = LocalKafka(kafka.data_dir)

    assert second.start() is False

    assert (second.pid, second.bootstrap) == (kafka.pid, kafka.bootstrap)


@pytest.mark.kafka
def test_a_second_start_on_another_port_is_refused(kafka):
    with pytest.raises(LocalKafkaError, match=f"already runs in .* at {kafka.bootstrap} and not on port 1024"):
        LocalKafka(kafka.data_dir, port=1024).start()


@pytest.mark.kafka
def test_a_taken_port_is_named(own):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(LocalKafkaError, match=f"Port {port}, .* is taken"):
            LocalKafka(own.data_dir, port=port).start()

    assert own.pid is None


@pytest.mark.kafka
async def test_a_broker_that_dies_at_its_start_is_reported_with_its_last_words(own):
    own.start()
    own.stop()
    (own.data_dir / "log" / "meta.properties").write_text("version=99\n")

    own.start()

    with pytest.raises(LocalKafkaError, match=r"(?s)Kafka died\. .*No readable meta\.properties"):
        await own.wait_ready()


def test_an_old_pid_file_is_not_taken_for_a_running_broker(tmp_path):
    (tmp_path / "kafka.pid").write_text(str(os.getpid()))

    broker = LocalKafka(tmp_path)
    broker.stop()

    assert broker.pid is None


def test_without_java_one_message_says_what_to_install_and_what_to_use_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LocalKafkaError) as refused:
        LocalKafka(tmp_path / "data").start()

    for needed in ("Java 17 or newer", "apt-get install", "KAFKA_BOOTSTRAP=host:port make run"):
        assert needed in str(refused.value)


def test_a_java_too_old_is_as_good_as_none(tmp_path, monkeypatch):
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LocalKafkaError, match="Java 17 or newer"):
        LocalKafka(tmp_path / "data").start()
