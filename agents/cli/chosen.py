"""What was chosen for all commands, and the settings that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Chosen:
    """The options before a command's name. None: not given, nor in the environment if `kafka`."""

    kafka: str | None = None
    data_dir: Path | None = None

    def settings(self, **more: object) -> Settings:
        """Return the settings, options first; where nobody names a broker, the data folder's own if it runs.

        Raises:
            SettingsError: as `load_settings`.
        """
        from streams.settings import load_settings  # noqa: PLC0415  pydantic is slow to load, and --help needs none

        options = {"kafka_bootstrap": self.kafka, "data_dir": self.data_dir}
        given = {name: value for name, value in (options | more).items() if value is not None}
        settings = load_settings(**given)
        local = None if self.kafka else _running_in(settings.data_dir / "kafka")
        return settings.model_copy(update={"kafka_bootstrap": local}) if local else settings


def _running_in(folder: Path) -> str | None:
    """Where the folder's broker listens; None: there is no folder, or no broker runs in it."""
    if not folder.is_dir():  # asking further would make one
        return None
    from agents.cli.localkafka import LocalKafka  # noqa: PLC0415  loads a Kafka client

    broker = LocalKafka(folder)
    return broker.bootstrap if broker.pid else None
