"""The JSON Schema (2020-12) of each topic's value, from the record types: one file a topic, whole in itself."""

from __future__ import annotations

import json
from inspect import cleandoc
from typing import Any

import msgspec

from streams import records
from streams.contracts.words import OF_TOPICS
from streams.topics import TOPOLOGY, Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, str]:
    """Each topic's name and the schema of its value; dead letters are whatever bytes came, so they have none."""
    return {topic.name: _of_topic(topic) for topic in TOPOLOGY if kinds_of(topic)}


def kinds_of(topic: Topic) -> list[type]:
    """The record types on a topic."""
    names = topic.value.split("|")
    return [getattr(records, name) for name in names] if all(hasattr(records, name) for name in names) else []


def components(kinds: list[type], place: str) -> dict[str, dict[str, Any]]:
    """The schemas, by name, of record types and of all that they hold; `place` is where each will stand."""
    _, found = msgspec.json.schema_components(kinds, ref_template=place + "{name}")
    for name, schema in found.items():
        schema["description"] = cleandoc(getattr(records, name).__doc__)
    return dict(found)


def _of_topic(topic: Topic) -> str:
    kinds = kinds_of(topic)
    refs = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]
    schema = {
        "$schema": DIALECT,
        "$id": f"urn:groundswell:schema:{topic.name}",
        "title": topic.name,
        "description": OF_TOPICS[topic.name],
        **({"oneOf": refs} if len(refs) > 1 else refs[0]),
        "$defs": components(kinds, "#/$defs/"),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
