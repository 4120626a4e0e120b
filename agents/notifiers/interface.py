"""What a notifier is: one attempt to tell somebody about one step of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from streams.records import Alert


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: worth another attempt, not sooner than `after_s` seconds if the other side said so."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: another attempt of this step would fail the same way."""

    why: str


Outcome = Delivered | Retry | Refused


class Notifier(Protocol):
    """One way to tell somebody. `deliver` returns, it does not raise, whatever the network does."""

    name: str

    async def deliver(self, alert: Alert, key: str) -> Outcome:
        """Tell once. `key` is the step's idempotency key: the same on every attempt."""

    async def close(self) -> None:
        """Let go of connections."""
