"""Every setting, and the only reader of the environment.

Each is read from `GROUNDSWELL_<NAME>`, once, at start. `KAFKA_BOOTSTRAP` is honoured as well.
"""

from __future__ import annotations

import os
import socket
from hashlib import blake2b
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

NOBODY = "http://nobody.invalid"
"""The address of a worker that has none."""


class SettingsError(ValueError):
    """A setting is wrong; the message names the variable, what it holds and what was expected."""


class Settings(BaseSettings):
    """What an operator may choose. Frozen: a worker never changes its mind."""

    model_config = SettingsConfigDict(env_prefix="GROUNDSWELL_", frozen=True, extra="ignore")

    kafka_bootstrap: str = Field(
        "127.0.0.1:9092",
        validation_alias=AliasChoices("kafka_bootstrap", "GROUNDSWELL_KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP"),
        pattern=r"^[^:\s,]+:\d{1,5}(,[^:\s,]+:\d{1,5})*$",
        description="Kafka brokers, host:port[,host:port...].",
    )
    app_id: str = Field(
        "groundswell", pattern=r"^[a-zA-Z0-9._-]+$", description="Consumer group; also names changelogs."
    )
    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]*$", description="Put before every topic name.")
    raw_partitions: int = Field(4, ge=1, le=256, description="Partitions of mentions.raw; fixed for good once created.")
    keyed_partitions: int = Field(
        4, ge=1, le=256, description="Partitions of every topic keyed by brand; fixed for good."
    )
    replication: int = Field(1, ge=1, description="Replication factor of created topics.")
    raw_retention_s: int = Field(7 * 86_400, ge=3600, description="How long raw mentions are kept, seconds.")
    rules: Path | None = Field(
        None, description="The tracking rules (YAML) that a worker publishes where none are in force yet."
    )
    data_dir: Path = Field(Path(".groundswell"), description="Local state: RocksDB tables, the local broker.")

    allowed_lateness_s: int = Field(
        900, ge=0, le=86_400, description="Older than its raw partition's time by more: late."
    )
    max_future_s: int = Field(300, ge=0, description="observed_at further ahead than this is dead-lettered.")
    remembered_mentions: int = Field(
        250_000, ge=1000, description="Mentions remembered per raw partition, for redeliveries."
    )
    dead_letter_share: float = Field(
        0.5, gt=0, le=1, description="Stop when more than this share of recent input is rejected."
    )
    dead_letter_window: int = Field(1000, ge=10, description="... of this many latest records.")

    session_timeout_s: float = Field(
        10.0, ge=1, description="A worker silent for this long loses its partitions, seconds."
    )
    stall_timeout_s: float = Field(
        120.0, ge=5, description="A worker in which what ought to move stands still for this long ends, seconds."
    )
    checkpoint_s: float = Field(
        1.0, gt=0, le=30, description="Rows are written and offsets released this often, seconds."
    )
    bundle_wait_s: float = Field(0.02, ge=0, le=1, description="Wait before a fetch so that bundles fill, seconds.")
    bundle_records: int = Field(1000, ge=1, le=10_000, description="Most records in one bundle.")

    notify: tuple[str, ...] = Field(("log",), description='Notifiers, a JSON list: ["log", "webhook"].')
    notify_tickets: tuple[str, ...] = Field(
        ("log",), description="Those of them that are told of tickets as well; the others only of pages."
    )
    notify_max_age_s: int = Field(
        3600, ge=1, description="Older alert steps are recorded, not sent: a replay pages nobody."
    )
    webhook_url: str | None = Field(None, description="Where the webhook notifier posts. https, or http on loopback.")
    webhook_secret: SecretStr | None = Field(None, description="Standard Webhooks secret, whsec_...")
    author_key: SecretStr | None = Field(
        None,
        description="Keys the hashes by which authors are remembered, so that nobody else can guess whose they are.",
    )

    http_host: str = Field("127.0.0.1", description="Where a worker answers over HTTP: metrics, health, API.")
    http_port: int = Field(0, ge=0, le=65_535, description="... and at which port; 0: nowhere.")
    http_token: SecretStr | None = Field(
        None, description="Whoever asks over HTTP sends it as a bearer token. Required unless the host is loopback."
    )

    http_advertised_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
        description="Where other workers send those who ask there for what this one has. Otherwise made of host and port.",
    )

    @property
    def advertised_url(self) -> str:
        """Where this worker answers over HTTP, as others may reach it; NOBODY: it does not."""
        if not self.http_port:
            return NOBODY
        if self.http_advertised_url:
            return self.http_advertised_url
        host = socket.gethostname() if self.http_host in ("", "0.0.0.0", "::") else self.http_host  # noqa: S104
        return f"http://[{host}]:{self.http_port}" if ":" in host else f"http://{host}:{self.http_port}"

    @property
    def group(self) -> str:
        """The consumer group of all workers, by which changelogs are named as well."""
        return self.topic_prefix + self.app_id

    @property
    def author_key_bytes(self) -> bytes:
        """The key of the hashes; empty if none was chosen."""
        return blake2b(self.author_key.get_secret_value().encode()).digest() if self.author_key else b""

    @property
    def request_timeout_s(self) -> float:
        """After so long without an answer a connection is taken for dead, and the request is made over a new one."""
        return max(30.0, self.session_timeout_s + 5)

    @property
    def names_a_broker(self) -> bool:
        """Whether somebody chose the brokers; where nobody did, a local one may be used."""
        return "kafka_bootstrap" in self.model_fields_set


def load_settings(**overrides: object) -> Settings:
    """Read the environment, with `overrides` (from the command line) first.

    Raises:
        SettingsError: names each wrong variable, its value and what was expected.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as refused:
        raise SettingsError("\n".join(_say(dict(error)) for error in refused.errors())) from None


def read_secret(variable: str) -> str | None:
    """Return what a variable holds, or the file that the same variable with _FILE names; None: neither is set.

    Raises:
        SettingsError: that file cannot be read.
    """
    if (value := os.environ.get(variable)) is not None:
        return value
    if not (path := os.environ.get(f"{variable}_FILE")):
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}_FILE = {path!r} cannot be read: {error}") from None


def traces_wanted() -> str | None:
    """The variable of OpenTelemetry's that says where traces go; None: nobody wants any."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return next((name for name in names if os.environ.get(name)), None)


def _say(error: dict[str, object]) -> str:
    where = error["loc"]
    name = ".".join(str(part) for part in where) if isinstance(where, tuple) else str(where)
    variable = name if name.isupper() else f"GROUNDSWELL_{name.upper()}"
    secret = any(word in variable for word in ("SECRET", "TOKEN", "AUTHOR_KEY"))
    return f"{variable} = {'***' if secret else repr(error['input'])}: {error['msg']}"
