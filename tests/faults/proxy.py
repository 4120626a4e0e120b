"""What a network does to a connection: slow it down, cut it, or fall silent without telling anybody.

A Kafka client connects where the broker says that it is. So a broker behind proxies has a listener for
each, advertised under the proxy's port; whoever uses its own address goes round them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from agents.cli.localkafka import HOST, LocalKafka, free_port

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from pathlib import Path

CHUNK = 64 * 1024


class Proxy:
    """Passes bytes on between its own address and another port: `async with proxy:`."""

    def __init__(self, to_port: int) -> None:
        self.to_port, self.port = to_port, free_port()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._flows: asyncio.Event
        self._swallows: bool
        self.latency_s: float
        """Each way."""

    @property
    def address(self) -> str:
        """Where clients connect, host:port."""
        return f"{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self._flows, self._swallows, self.latency_s = asyncio.Event(), False, 0.0
        await self.heal()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flows.set()
        self.cut()
        while self._connections:  # noqa: ASYNC110  each ends at once, on its own
            await asyncio.sleep(0)

    # -- faults ----------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every connection, and refuse new ones until `heal`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.reset()

    def hold(self) -> None:
        """Fall silent. What is said from now on is on its way: it arrives, late, after `heal`."""
        self._flows.clear()

    def swallow(self) -> None:
        """Fall silent, and forget: connections of before and of meanwhile stay silent for good, and nobody is told."""
        self._swallows = True
        for connection in self._connections:
            connection.silent = True

    async def heal(self) -> None:
        """The network is well again, for new connections at least."""
        self._swallows = False
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)

    # -- passing on ------------------------------------------------------------------------------

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.to_port)
        except OSError:  # the broker is down
            writer.transport.abort()
            return
        connection = _Connection(writer, far_writer, silent=self._swallows)
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pass_on(connection, reader, far_writer), self._pass_on(connection, far_reader, writer)
            )
        finally:
            self._connections.discard(connection)

    async def _pass_on(self, connection: _Connection, reader: StreamReader, writer: StreamWriter) -> None:
        """One way, until either side has closed its end or the connection is reset."""
        clock = asyncio.get_running_loop().time
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def leave() -> None:
            data = b"-"
            while data:
                with suppress(ConnectionError):
                    data = b""
                    data = await reader.read(CHUNK)
                under_way.put_nowait((clock() + self.latency_s, data))

        async def arrive() -> None:
            while True:
                due_at, data = await under_way.get()
                await asyncio.sleep(due_at - clock())
                await self._flows.wait()
                if not data:
                    return connection.reset()
                if not connection.silent:
                    writer.write(data)

        await asyncio.gather(leave(), arrive())


class _Connection:
    """One client's connection, and the one that stands for it at the other side."""

    def __init__(self, *writers: StreamWriter, silent: bool) -> None:
        self._writers, self.silent = writers, silent

    def reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


class KafkaBehindProxies(LocalKafka):
    """A broker that tells those who come through the first proxy to use the first proxy, and so on."""

    def __init__(self, data_dir: Path, proxies: int) -> None:
        super().__init__(data_dir)
        self.proxies = [Proxy(to_port=free_port()) for _ in range(proxies)]

    def _configure(self) -> None:
        super()._configure()
        own, controller = self._ports() or (0, 0)
        named = {f"PROXIED{number}": proxy for number, proxy in enumerate(self.proxies)}
        listeners = {"PLAINTEXT": own, "CONTROLLER": controller} | {name: one.to_port for name, one in named.items()}
        advertised = {"PLAINTEXT": own} | {name: one.port for name, one in named.items()}
        with self._config.open("a") as config:  # of a property that is there twice, Kafka takes the last
            config.write(
                f"listeners={_listed(listeners)}\nadvertised.listeners={_listed(advertised)}\n"
                f"listener.security.protocol.map={','.join(f'{name}:PLAINTEXT' for name in listeners)}\n"
            )


def _listed(listeners: dict[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
