"""`groundswell dead-letters`: what intake set aside, and sending it back."""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Self

import click
from aiokafka.errors import KafkaError

from agents.cli.errors import CommandError
from agents.cli.read import connected, reading
from agents.sources.publisher import make_producer
from streams.core.parse import REASONS
from streams.core.sanitise import one_line
from streams.topics import DEAD_LETTERS, RAW

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable

    from aiokafka.structs import ConsumerRecord, RecordMetadata

    from agents.cli.chosen import Chosen
    from agents.cli.read import Ends, Reader
    from streams.settings import Settings

ATTEMPTS = "dlq.attempts"
FIRST_BYTES = 400
SHORT, LONG = 80, 280
MOST_IN_FLIGHT = 1000

logger = logging.getLogger(__name__)
