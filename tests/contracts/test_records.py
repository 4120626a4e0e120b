"""What really stands on the topics is what the contracts say, headers and keys included."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
import yaml
from aiokafka.partitioner import murmur2
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from jsonschema import Draft202012Validator, FormatChecker

from streams.contracts import FOLDER
from streams.events import TYPES
from streams.topics import TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiokafka.structs import ConsumerRecord

pytestmark = pytest.mark.timeout(300)

DOCUMENT = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text(encoding="utf-8"))
MESSAGES = DOCUMENT["components"]["messages"]
SCHEMAS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (FOLDER / "schemas").glob("*.json")}
TIDY = b"\0tidy"
HAPPENED = {
    "mentions.raw": ("op", {None, "update", "delete", "account_removed"}),
    "rules": ("kind", {"ruleset", "in_force"}),
    "mentions.scored": ("kind", {"mention", "removal", "mark", "rules_changed"}),
    "spikes": ("kind", {"finding", "removal", "mark", "rules_changed"}),
    "brand-stats": ("brand", {"acme", "globex"}),
    "alerts": ("change", {"fired", "updated", "refreshed", "resolved"}),
    "sources": ("state", {"ended"}),
}
"""What the run must have brought forth on each topic, so that something is checked."""

times = FormatChecker(())


@times.checks("date-time", raises=ValueError)
def _has_an_offset(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def validator(topic: str) -> Draft202012Validator:
    """Stricter than the contract: what the schema does not name is an error, because then it is not told to anybody."""
    schema = json.loads(json.dumps(SCHEMAS[topic]))
    for kind in schema["$defs"].values():
        kind["additionalProperties"] = False
    return Draft202012Validator(schema, format_checker=times)


def records_of(run, *names: str) -> Iterator[ConsumerRecord]:
    """The records of these topics, tombstones left out."""
    return (record for name in names for record in run.records[name] if record.value is not None)


def message_of(record: ConsumerRecord) -> str:
    """The name of the message that a record with CloudEvents attributes is, as a consumer finds it."""
    headers = dict(record.headers)
    [name] = [
        name
        for name, message in MESSAGES.items()
        if message.get("headers", {}).get("properties", {}).get("ce_type", {}).get("const")
        == headers["ce_type"].decode()
    ]
    return name


@pytest.mark.parametrize("topic", HAPPENED)
def test_every_record_of_a_topic_keeps_its_schema(run, topic):
    field, wanted = HAPPENED[topic]
    set_aside = {record.value for record in run.records["dead-letters"]}
    keeps = validator(topic)
    happened = set()
    for record in records_of(run, topic):
        if record.value in set_aside:
            continue
        said = json.loads(record.value)
        happened.add(said.get(field))
        assert not [error.message for error in keeps.iter_errors(said)], record.value
    assert wanted <= happened


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("mentions.scored", {"kind": "mention"}),
        ("mentions.scored", {"kind": "praise"}),
        ("mentions.raw", {"id": "x:1", "source": "x", "observed_at": "2026-01-01T00:00:00"}),
        ("mentions.raw", {"id": "x:1", "source": "x", "observed_at": "2026-01-01T00:00:00Z", "mood": "good"}),
    ],
)
def test_what_is_no_record_does_not_pass(topic, said):
    assert not validator(topic).is_valid(said)


TOLD = ("mentions.scored", "spikes", "brand-stats", "alerts", "sources")


def test_every_record_is_a_cloudevent_in_binary_mode(run):
    for record in records_of(run, *TOLD):
        event = from_kafka_event(KafkaMessage(dict(record.headers), record.key, record.value))
        assert event.get_specversion() == "1.0"
        assert event.get_source() == "groundswell"
        assert event.get_datacontenttype() == "application/json"
        assert event.get_data() == json.loads(record.value)
        assert event.get_id().isprintable()


def test_the_headers_of_every_record_are_those_of_its_message(run):
    seen = Counter()
    for record in records_of(run, *TOLD):
        name = message_of(record)
        seen[name] += 1
        _keeps_headers(record, MESSAGES[name]["headers"])
    assert seen.keys() == {kind.__name__ for kind in TYPES}


def test_the_headers_of_dead_letters_are_those_of_their_message(run):
    letters = list(records_of(run, "dead-letters"))
    assert {b"poison:1", None} == {dict(letter.headers).get("dlq.original-key") for letter in letters}
    for letter in letters:
        _keeps_headers(letter, MESSAGES["DeadLetter"]["headers"])


def _keeps_headers(record: ConsumerRecord, schema: dict) -> None:
    headers = {name: value.decode() for name, value in record.headers}
    assert len(headers) == len(record.headers), "a header twice"
    assert Draft202012Validator({**schema, "additionalProperties": False}).is_valid(headers), headers


def test_a_ce_id_names_one_thing_only_and_a_resend_has_the_same(run):
    """A re-publication of an open alert is one more sending of the step that it repeats, at another time."""
    for topic in TOLD:
        said_by_id: dict[tuple[str, str], object] = {}
        for record in records_of(run, topic):
            name, said = dict(record.headers)["ce_id"].decode(), json.loads(record.value)
            if topic == "alerts":
                said = {field: value for field, value in said.items() if field not in ("change", "at")}
            assert said_by_id.setdefault((message_of(record), name), said) == said, (topic, name)


def test_every_mention_of_a_brand_has_a_ce_id_of_its_own(run):
    """Told once for each raw record that matched the brand, re-sends aside."""
    told = {}
    for record in run.of("mentions.scored", kind="mention"):
        said = json.loads(record.value)
        told.setdefault(dict(record.headers)["ce_id"], set()).add((said["brand"], *said["origin"].values()))
    assert {len(places) for places in told.values()} == {1}


def test_the_crash_made_the_flow_tell_things_again(run):
    """Without it, the tests of re-sends would pass whatever happens."""
    for topic, kind in (("mentions.scored", {"kind": "mention"}), ("alerts", {"change": "fired"})):
        ids = Counter(dict(record.headers)["ce_id"] for record in run.of(topic, **kind))
        assert max(ids.values()) > 1


def test_keys_and_partitions_are_those_of_the_contract(run):
    def partition_of(key: bytes, topic: str) -> int:
        [wanted] = [one for one in TOPOLOGY if one.name == topic]
        return (murmur2(key) & 0x7FFFFFFF) % wanted.partitions(run.settings)

    for record in records_of(run, "mentions.raw"):
        said = json.loads(record.value)
        if "source" in said and said.get("op") != "account_removed":
            assert record.key == said["id"].encode()
            assert record.partition == partition_of(record.key, "mentions.raw")
    for topic in ("mentions.scored", "spikes", "brand-stats"):
        for record in records_of(run, topic):
            brand = json.loads(record.value).get("brand")
            assert (record.key and record.key.decode()) == brand
            assert brand is None or record.partition == partition_of(record.key, topic)
    for record in records_of(run, "alerts"):
        said = json.loads(record.value)
        assert record.key.decode() == said["id"]
        assert record.partition == partition_of(said["brand"].encode(), "alerts")
    for record in records_of(run, "sources"):
        assert record.key.decode() == json.loads(record.value)["key"]


def test_tombstones_stand_only_where_the_contract_has_them_for_keys_that_were_told_or_for_nobodys(run):
    channels = {channel["title"]: channel for channel in DOCUMENT["channels"].values()}
    for topic, records in run.records.items():
        gone = {record.key for record in records if record.value is None}
        if "Tombstone" not in channels[topic]["messages"]:
            assert not gone, topic
        assert gone - {TIDY} <= {record.key for record in records if record.value is not None}
        assert not [record for record in records if record.value is None and record.headers]
    assert {record.key for record in run.records["alerts"] if record.value is None} == {TIDY, run.fired.id.encode()}
