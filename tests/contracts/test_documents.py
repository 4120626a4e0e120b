"""The documents are what the code says, and what their formats ask for."""

from __future__ import annotations

import json
import subprocess

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from streams import records
from streams.contracts import EXAMPLES, FOLDER, contracts
from streams.contracts.schemas import kinds_of
from streams.events import TYPES
from streams.topics import TOPOLOGY

ASYNCAPI = FOLDER / "asyncapi.yaml"
SCHEMAS = sorted((FOLDER / "schemas").glob("*.json"))
ERROR = 0


def errors_in(judge, document) -> list[str]:
    said = subprocess.run(["node", judge, document], capture_output=True, text=True, check=True).stdout
    found = map(json.loads, said.splitlines())
    return [f"{one['path']}: {one['message']}" for one in found if one["severity"] == ERROR]


def test_no_contract_is_stale():
    for path, content in contracts():
        assert path.read_text(encoding="utf-8") == content, (
            f"{path.name} is not what the code says: run `make contracts`"
        )


def test_no_contract_is_left_over():
    assert {ASYNCAPI, *SCHEMAS} == {path for path, _ in contracts()}


def test_contracts_are_the_same_wherever_they_are_generated(monkeypatch):
    before = dict(contracts())
    monkeypatch.setenv("GROUNDSWELL_TOPIC_PREFIX", "mine.")
    monkeypatch.setenv("GROUNDSWELL_KEYED_PARTITIONS", "64")

    assert dict(contracts()) == before


def test_the_asyncapi_parser_finds_no_error(judge):
    assert errors_in(judge, ASYNCAPI) == []


@pytest.mark.parametrize(
    ("mistake", "where"),
    [
        pytest.param(lambda said: said.pop("info"), "", id="no-info"),
        pytest.param(lambda said: said["channels"]["alerts"].update(messages=[]), "channels/alerts", id="a-list"),
        pytest.param(
            lambda said: said["components"]["messages"]["Alert"].update(payload={"$ref": "#/components/schemas/Alarm"}),
            "components/messages/Alert/payload",
            id="a-reference-to-nothing",
        ),
    ],
)
def test_the_asyncapi_parser_finds_an_error_in_a_broken_document(judge, tmp_path, mistake, where):
    said = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))
    mistake(said)
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(said))

    assert any(error.startswith(where) for error in errors_in(judge, broken))


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_a_schema_is_one_and_whole_in_itself_and_named_after_its_topic(path):
    schema = json.loads(path.read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:groundswell:schema:{path.stem}"
    assert all(ref.startswith("#/$defs/") for ref in _values_of("$ref", schema))


def test_what_is_no_schema_is_refused():
    with pytest.raises(SchemaError):
        Draft202012Validator.check_schema({"type": "mention"})


def test_every_topic_of_records_has_a_schema_and_every_topic_a_channel_with_its_policy():
    said = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))
    channels = {channel["address"].removeprefix("{prefix}"): channel for channel in said["channels"].values()}

    assert {path.stem for path in SCHEMAS} == {topic.name for topic in TOPOLOGY if kinds_of(topic)}
    assert channels.keys() == {topic.name for topic in TOPOLOGY}
    for topic in TOPOLOGY:
        policy = channels[topic.name]["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"]
        assert ("compact" in policy) == (topic.compacted or topic.erasable)
        assert ("Tombstone" in channels[topic.name]["messages"]) == ("compact" in policy)


def test_every_record_that_is_told_has_a_message_with_an_example_that_is_one_to_the_letter():
    shown = json.loads(EXAMPLES.read_text(encoding="utf-8"))

    assert {one["message"] for one in shown} == {
        "Mention",
        "DeadLetter",
        "Ruleset",
        "InForce",
        *(kind.__name__ for kind in TYPES),
    }
    for one in shown:
        if one["message"] != "DeadLetter":
            kind = getattr(records, one["message"])
            said = msgspec.json.decode(msgspec.json.encode(one["payload"]), type=kind)
            assert json.loads(msgspec.json.encode(said)) == one["payload"], one["name"]


def test_a_description_stands_beside_everything_that_a_stranger_meets():
    said = yaml.safe_load(ASYNCAPI.read_text(encoding="utf-8"))
    parts = said["components"]
    described = [*said["channels"].values(), *parts["schemas"].values()]

    assert all(part["description"].strip() for part in described)
    assert all(message["summary"] for message in parts["messages"].values())


def _values_of(name: str, node: object) -> list[str]:
    if isinstance(node, list):
        return [value for one in node for value in _values_of(name, one)]
    if not isinstance(node, dict):
        return []
    return [node[name]] if isinstance(node.get(name), str) else _values_of(name, list(node.values()))
