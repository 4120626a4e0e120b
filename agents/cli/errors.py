"""How a command refuses: in words, on stderr, with a code that scripts can use."""

from __future__ import annotations

import click

from agents.cli.logs import printable

# By name, because an error can only have been raised where its module is loaded, and loading them
# all here would make every command wait for Kafka clients that it may never use.
EXPECTED = frozenset(
    {
        "agents.cli.errors.CommandError",
        "agents.cli.kafkajars.LocalKafkaError",
        "agents.sources.interface.SourceError",
        "agents.sources.publisher.PublishError",
        "aiokafka.errors.KafkaError",
        "streams.broker.BrokerError",
        "streams.core.rulefile.RulesError",
        "streams.settings.SettingsError",
    }
)
FAILED, INTERRUPTED = 1, 130


class CommandError(Exception):
    """A command cannot do what was asked; the message says what was found and what to do."""


def is_expected(error: BaseException) -> bool:
    """Whether the error is one whose message tells a person all they need, so that a traceback would only hide it."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in EXPECTED for kind in type(error).__mro__)


def say_error(error: BaseException) -> None:
    """Print `error: ...` on stderr."""
    click.echo(f"error: {printable(str(error))}", err=True)
