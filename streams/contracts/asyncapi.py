"""The AsyncAPI document: who writes what to which topic, in which form, under which key, for how long."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from streams.contracts.schemas import components, kinds_of
from streams.contracts.words import ABOUT, OF_IDS, OF_LETTERS, OF_MESSAGES, OF_TOPICS, OF_TRACES, OPTIONAL_OF_LETTERS
from streams.core.parse import REASONS
from streams.events import CONTENT_TYPE, SOURCE, SPECVERSION, TRACEPARENT, TYPES
from streams.records import Mark, Mention, Removal, RulesChanged, ScoredMention
from streams.settings import Settings
from streams.topics import TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.topics import Topic

Node = dict[str, Any]

CONTRACT_VERSION = "1.0.0"
"""Not the version of the software: the first number changes when a consumer would have to, the second when something is added."""

BINDING = "0.5.0"
DEAD_LETTER, TOMBSTONE = "DeadLetter", "Tombstone"
TRACED = tuple(kind.__name__ for kind in (Mention, ScoredMention, Removal))
OUTSIDERS = ("people", "subscribers")


def asyncapi(examples: str) -> str:
    """Return the document as YAML; `examples` are real records, as JSON."""
    shown = json.loads(examples)
    settings = Settings.model_construct()  # the defaults, whatever the environment says
    document = {
        "asyncapi": "3.1.0",
        "id": "urn:groundswell",
        "info": {
            "title": "Groundswell",
            "version": CONTRACT_VERSION,
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "Any Apache Kafka; what Groundswell itself connects to.",
                "variables": {
                    "bootstrap": {"default": settings.kafka_bootstrap, "description": "GROUNDSWELL_KAFKA_BOOTSTRAP"}
                },
            }
        },
        "channels": {_key(topic): _channel(topic, settings) for topic in TOPOLOGY},
        "operations": dict(_operations(settings)),
        "components": {
            "messages": {name: _message(name, shown) for name in OF_MESSAGES},
            "schemas": components([kind for topic in TOPOLOGY for kind in kinds_of(topic)], "#/components/schemas/"),
        },
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _key(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _channel(topic: Topic, settings: Settings) -> Node:
    config: Node = topic.config(settings)
    numbers = {name: int(value) for name, value in config.items() if value.isdecimal()}
    return {
        "address": "{prefix}" + topic.name,
        "title": topic.name,
        "description": OF_TOPICS[topic.name],
        "parameters": {"prefix": {"default": settings.topic_prefix, "description": "GROUNDSWELL_TOPIC_PREFIX"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions(settings),
                "replicas": settings.replication,
                "topicConfiguration": {**config, **numbers, "cleanup.policy": config["cleanup.policy"].split(",")},
                "bindingVersion": BINDING,
            }
        },
    }


def _messages(topic: Topic) -> list[str]:
    names = [kind.__name__ for kind in kinds_of(topic)] or [DEAD_LETTER]
    return [*names, TOMBSTONE] if topic.compacted or topic.erasable else names


def _operations(settings: Settings) -> Iterator[tuple[str, Node]]:
    """The agents' own; whoever else reads is free to, in a consumer group of its own."""
    group = {"type": "string", "enum": [settings.group]}
    for topic in TOPOLOGY:
        channel = {"$ref": f"#/channels/{_key(topic)}"}
        yield (
            f"{topic.written_by}-write-{_key(topic)}",
            {"action": "send", "channel": channel, "summary": f"Written by {topic.written_by}."},
        )
        for reader in topic.read_by:
            if reader not in OUTSIDERS:
                operation = {"action": "receive", "channel": channel, "summary": f"Read by {reader}."}
                # Who reads what it wrote looks up where it stopped; rules are for each worker to read whole: in no group.
                if reader not in (topic.written_by, "workers"):
                    operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": BINDING}}
                yield f"{reader}-read-{_key(topic)}", operation


def _message(name: str, shown: list[Node]) -> Node:
    message: Node = {"name": name, "title": name, "summary": OF_MESSAGES[name]}
    if name == DEAD_LETTER:
        message |= {"contentType": "application/octet-stream", "headers": _headers_of_letters(), "payload": {}}
    elif name == TOMBSTONE:
        message["payload"] = {"type": "null"}
    else:
        message |= {"contentType": CONTENT_TYPE, "payload": {"$ref": f"#/components/schemas/{name}"}}
        if name in OF_IDS or name in TRACED:
            message["headers"] = _headers(name)
    message["bindings"] = {"kafka": {"key": _key_of(name), "bindingVersion": BINDING}}
    examples = [
        {part: one[part] for part in ("name", "summary", "headers", "payload") if part in one}
        for one in shown
        if one["message"] == name
    ]
    return message | ({"examples": examples} if examples else {})


def _headers(name: str) -> Node:
    headers: Node = _event_headers(name) if name in OF_IDS else {"type": "object", "properties": {}}
    if name in TRACED:
        headers["properties"][TRACEPARENT] = {"type": "string", "description": OF_TRACES}
    return headers


def _event_headers(name: str) -> Node:
    [event] = [ce_type for kind, ce_type in TYPES.items() if kind.__name__ == name]
    said = {"ce_specversion": SPECVERSION, "ce_type": event, "ce_source": SOURCE, "content-type": CONTENT_TYPE}
    properties: Node = {header: {"type": "string", "const": value} for header, value in said.items()}
    about = f"What happened, the same on a re-send. {OF_IDS[name]} Compare it; do not take it apart."
    properties["ce_id"] = {"type": "string", "minLength": 1, "description": about}
    return {"type": "object", "required": list(properties), "properties": properties}


def _headers_of_letters() -> Node:
    properties: Node = {name: {"type": "string", "description": words} for name, words in OF_LETTERS.items()}
    properties["dlq.reason"]["enum"] = list(REASONS)
    required = [name for name in OF_LETTERS if name not in OPTIONAL_OF_LETTERS]
    return {"type": "object", "required": required, "properties": properties}


def _key_of(name: str) -> Node:
    if name == Mark.__name__:
        return {"type": "null", "description": "Marks have no key: each partition gets its own."}
    if name == RulesChanged.__name__:
        return {"type": "null", "description": "No key: it concerns all of its partition."}
    if name == Removal.__name__:
        return {"type": ["string", "null"], "description": "The brand; none where nobody knows whom it concerns."}
    if name == TOMBSTONE:
        return {"type": "string", "description": "Of what is gone. `\\0tidy` is nobody's."}
    [topic] = [topic for topic in TOPOLOGY if name in _messages(topic)]
    about = f"{topic.key.capitalize()}."
    if name == DEAD_LETTER:
        about = "The origin: epoch/partition/offset."
    if name == Mention.__name__:
        about += " murmur2 of it gives the partition; an account_removed is written once to each, under any key."
    return {"type": "string", "description": about}


class _Dumper(yaml.SafeDumper):
    """Nothing is an anchor; what has several lines is shown in several, and a list of words in one."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _list(dumper: yaml.SafeDumper, items: list[object]) -> yaml.Node:
    words = not any(isinstance(item, dict | list) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=words)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
