from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from agents.cli.localkafka import LocalKafka

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for the broker is marked, so that `-m "not kafka"` never starts one."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """The real broker, one for the whole session. Missing Java or Maven is an error, never a skip."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        asyncio.run(broker.wait_ready())
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def prefix() -> str:
    """Put before topic names and group ids, so that tests never meet on the shared broker."""
    return f"t{uuid.uuid4().hex[:8]}."
