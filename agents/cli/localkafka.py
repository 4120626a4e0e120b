"""A real Apache Kafka on this machine: one node, a process like any other. No Docker, no daemon.

The broker belongs to a data folder, which remembers its ports. Its process inherits a lock on the
folder's pid file, so whether a broker runs is a question to the operating system: the lock falls
when that process ends, however it ends, and an old pid is never taken for a broker.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from agents.cli.kafkajars import HOME, LocalKafkaError, ensure_jars, java, run

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
LISTENERS = f"listeners=PLAINTEXT://{HOST}:%s,CONTROLLER://{HOST}:%s"
# Below the range from which systems give ports to clients: a worker that keeps reconnecting while
# the broker is down could otherwise be given the broker's own port, and hold it.
PORTS = range(20_000, 32_000)
POLL_S = 0.05


class LocalKafka:
    """The broker of one data folder. Any process may hold one of these, to start, find or end that broker."""

    def __init__(self, data_dir: Path, port: int | None = None) -> None:
        """`port` is where clients connect; None: the folder's own, in a new folder a free one."""
        self.data_dir = data_dir.resolve()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._port = port
        self._config = self.data_dir / "server.properties"
        self._pid_file = self.data_dir / "kafka.pid"
        self._log = self.data_dir / "kafka.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect, host:port.

        Raises:
            LocalKafkaError: this folder has never held a broker.
        """
        ports = self._ports()
        if ports is None:
            raise LocalKafkaError(f"{self.data_dir} has never held a Kafka: start it first")
        return f"{HOST}:{ports[0]}"

    @property
    def pid(self) -> int | None:
        """The running broker's process; None: none runs here."""
        while (lock := self._lock(fcntl.LOCK_SH)) is None:
            if pid := self._pid_file.read_text():
                return int(pid)
            time.sleep(POLL_S)  # another process is just starting it
        os.close(lock)
        return None

    def start(self) -> bool:
        """Start the broker; `wait_ready` says when it answers. False: one already ran here, and is used.

        It gets a session of its own, so that Ctrl-C reaches the workers and not, before them, the
        broker they still write to. Blocks for a second in a new folder, and for the download in a
        new checkout.

        Raises:
            LocalKafkaError: no Java or Maven; a port is taken; a broker runs here on another port.
        """
        ensure_jars()
        while (lock := self._lock(fcntl.LOCK_EX)) is None:
            if pid := self.pid:
                self._refuse_another_port(pid)
                return False
        try:
            os.ftruncate(lock, 0)
            self._reap()
            self._configure()
            self._child = self._spawn(lock)
            os.write(lock, str(self._child.pid).encode())
        finally:
            os.close(lock)
        return True

    async def wait_ready(self, timeout_s: float = 60) -> None:
        """Return once the broker answers a Kafka client.

        Raises:
            LocalKafkaError: it died (with the end of its log), or says nothing for `timeout_s` seconds.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + timeout_s
        while not await self._answers():
            if self.pid is None:
                raise LocalKafkaError(f"Kafka died. The end of {self._log}:\n{self._last_words()}")
            if loop.time() > give_up_at:
                raise LocalKafkaError(
                    f"Kafka at {self.bootstrap} did not answer within {timeout_s:g} s; see {self._log}"
                )
            await asyncio.sleep(POLL_S)

    def stop(self, patience_s: float = 20) -> None:
        """End the folder's broker, whoever started it: asked first, killed after `patience_s` seconds."""
        if not self._end(signal.SIGTERM, patience_s):
            self.kill()

    def kill(self) -> None:
        """End the folder's broker at once, as a crash would. What it has acknowledged survives."""
        self._end(signal.SIGKILL, patience_s=10)

    def _lock(self, kind: int) -> int | None:
        """A lock on the pid file, as a descriptor to close; None: the broker, or who starts it, has it."""
        lock = os.open(self._pid_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def _ports(self) -> tuple[int, int] | None:
        """The folder's ports, for clients and for the controller."""
        if not self._config.exists():
            return None
        found = re.search(LISTENERS % (r"(\d+)", r"(\d+)"), self._config.read_text())
        return (int(found[1]), int(found[2])) if found else None

    def _refuse_another_port(self, pid: int) -> None:
        if self._port and self.bootstrap != f"{HOST}:{self._port}":
            raise LocalKafkaError(
                f"Kafka already runs in {self.data_dir}, at {self.bootstrap} and not on port {self._port}: "
                f"use that one, or stop it (kill {pid}), or choose another data folder"
            )

    def _configure(self) -> None:
        known_port, known_controller = self._ports() or (None, None)
        port = self._port or known_port or free_port()
        controller = known_controller or free_port()
        for needed in (port, controller):
            if not _is_free(needed):
                raise LocalKafkaError(
                    f"Port {needed}, which the Kafka in {self.data_dir} needs, is taken by another program: "
                    "stop that program, or choose another data folder"
                )
        # The path is relative, because this format knows neither UTF-8 nor a comma within a path. The
        # quorum is of the static kind: the other kind would write the controller's port into the data.
        self._config.write_text(
            (HOME / "server.properties").read_text()
            + f"\n{LISTENERS % (port, controller)}\ncontroller.quorum.voters=1@{HOST}:{controller}\nlog.dirs=log\n"
        )
        if not (self.data_dir / "log" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            run(
                java(
                    "128m",
                    "kafka.tools.StorageTool",
                    "format",
                    f"--cluster-id={cluster}",
                    "--config",
                    self._config.name,
                ),
                self.data_dir,
                f"Kafka could not set up {self.data_dir}.",
            )

    def _spawn(self, lock: int) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  our own command line
                java("512m", "kafka.Kafka", self._config.name),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock],
            )

    async def _answers(self) -> bool:
        host, port = self.bootstrap.split(":")
        try:  # the client below logs an error for each attempt that fails; this fails quietly
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()
        except OSError:
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()

    def _last_words(self) -> str:
        said = self._log.read_text(errors="replace").splitlines()
        return "\n".join([line for line in said if not line.startswith("\tat ")][-15:])  # no stack frames

    def _end(self, sign: signal.Signals, patience_s: float) -> bool:
        """Send `sign` and wait; True once no broker runs here."""
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        give_up_at = time.monotonic() + patience_s
        while self.pid is not None:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(POLL_S)
        self._reap()
        return True

    def _reap(self) -> None:
        """Collect our own ended child: until then its pid lives on."""
        if self._child is not None:
            self._child.wait()
            self._child = None


def free_port() -> int:
    """Return a port of this machine that nobody listens at, and that systems give to no client."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if _is_free(port))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
