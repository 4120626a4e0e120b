"""The group behind `groundswell`: commands are loaded when they are asked for, and fail in one manner."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from agents.cli.errors import FAILED, INTERRUPTED, is_expected, say_error

if TYPE_CHECKING:
    from collections.abc import Mapping


class Lazy(NamedTuple):
    """Where a command is, as `module:attribute`, and what the list of commands says about it."""

    target: str
    help: str


class CommandLine(click.Group):
    """A group of lazy commands. Each is named in one table, so that a broken one is an error and never just absent."""

    commands_by_name: Mapping[str, Lazy] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Name the commands in the table's order, which is the order in which people meet them."""
        return list(self.commands_by_name)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if cmd_name not in self.commands_by_name:
            return None
        module, _, attribute = self.commands_by_name[cmd_name].target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self.commands_by_name.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. With -v an expected error keeps its traceback."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if ctx.params["verbose"] or not is_expected(error):
                raise
            say_error(error)
            ctx.exit(FAILED)
