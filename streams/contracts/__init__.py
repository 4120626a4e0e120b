"""The open contracts, generated: JSON Schemas and an AsyncAPI document for whoever reads the topics.

`python -m streams.contracts` writes them into `deploy/contracts`. Nothing in them comes from the environment or the
clock, so that the same code gives the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streams.contracts.asyncapi import asyncapi
from streams.contracts.schemas import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "deploy" / "contracts"
EXAMPLES = FOLDER / "examples" / "records.json"
"""Records of a real run, which the document shows; `python -m tests.contracts.record` records them anew."""


def contracts() -> Iterator[tuple[Path, str]]:
    """Every generated file, with its content."""
    yield FOLDER / "asyncapi.yaml", asyncapi(EXAMPLES.read_text(encoding="utf-8"))
    for topic, schema in schemas().items():
        yield FOLDER / "schemas" / f"{topic}.json", schema
