"""The notifiers. To add one: a file here, and its line in REGISTRY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.notifiers import log, webhook
from streams.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.notifiers.interface import Notifier
    from streams.settings import Settings

REGISTRY: dict[str, Callable[[Settings], Notifier]] = {
    "log": log.LogNotifier,
    "webhook": webhook.WebhookNotifier,
}


def build(settings: Settings) -> list[Notifier]:
    """Make the notifiers named by GROUNDSWELL_NOTIFY, each once, in that order.

    Raises:
        SettingsError: a name is unknown, there or in GROUNDSWELL_NOTIFY_TICKETS, or a notifier lacks a setting.
    """
    for variable, names in (("NOTIFY", settings.notify), ("NOTIFY_TICKETS", settings.notify_tickets)):
        unknown = [name for name in names if name not in REGISTRY]
        if unknown:
            raise SettingsError(
                f"GROUNDSWELL_{variable}: no notifier is called {unknown[0]!r}; there are {', '.join(REGISTRY)}"
            )
    return [REGISTRY[name](settings) for name in dict.fromkeys(settings.notify)]
