"""What a notifier is: one attempt to tell somebody about one step of an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.core.deliveries import Delivered, Outcome, Refused, Retry

if TYPE_CHECKING:
    from streams.records import Alert

__all__ = ["Delivered", "Notifier", "Outcome", "Refused", "Retry"]


class Notifier(Protocol):
    """One way to tell somebody. `deliver` returns, it does not raise, whatever the network does."""

    name: str

    async def deliver(self, alert: Alert, key: str) -> Outcome:
        """Tell once. `key` is the idempotency key: the same on every attempt."""

    async def close(self) -> None:
        """Let go of connections."""
