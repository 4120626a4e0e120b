"""A sender of Standard Webhooks: signs each attempt anew under the same id, and tries again until it is told that we have it."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from standardwebhooks import Webhook as Signature

from agents.cli.localkafka import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LATER = (408, 409, 425, 429, 500, 502, 503, 504)
FIRST_WAIT_S, LONGEST_WAIT_S = 0.02, 0.5


def new_secret(seed: int) -> str:
    return "whsec_" + base64.b64encode(random.Random(seed).randbytes(32)).decode()


class Message:
    """One request that has to arrive: its id stays the same on every attempt."""

    def __init__(self, number: int, body: bytes, content_type: str) -> None:
        self.id, self.body, self.content_type = f"msg_{number}", body, content_type


class WebhookStandIn:
    """See the module. `say` hands over to a queue, and what is in it is sent in order, whoever listens meanwhile."""

    can = frozenset({"edit", "delete", "remove_account"})

    def __init__(self, secret: str | None = None) -> None:
        self.port, self.secret = free_port(), secret or new_secret(1)
        self._queue: deque[Message] = deque()
        self._more = asyncio.Event()
        self._messages = self._mentions = 0
        self.answers: list[int] = []

    @property
    def options(self) -> dict[str, str]:
        return {"port": str(self.port)}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"GROUNDSWELL_WEBHOOK_SECRETS": self.secret}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/mentions"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self._session.close()

    # -- what people do ------------------------------------------------------------------------------------

    async def say(self, count: int) -> list[str]:
        """As an event of its own, or several as an array, or as lines: senders do all of it."""
        said = [self._mention() for _ in range(count)]
        self._post("mention.created", said[0])
        if several := said[1:4]:
            self._queue_up(json.dumps(several).encode(), "application/json; charset=utf-8")
        if rest := said[4:]:
            lines = b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in rest)
            self._queue_up(lines, "application/x-ndjson")
        return [f"webhook:{one['id']}" for one in said]

    async def edit(self, mention_id: str) -> None:
        self._post("mention.updated", {"id": _native(mention_id), "text": f"edited: {mention_id}", "revision": "2"})

    async def delete(self, mention_id: str) -> None:
        self._post("mention.deleted", {"id": _native(mention_id)})

    async def remove_account(self, mention_id: str) -> str:
        self._post("account.removed", {"author_id": "cust-7"})
        return "cust-7"

    async def garble(self) -> bytes:
        raise NotImplementedError("what cannot be read is answered with 400")

    async def interrupt(self) -> None:
        raise NotImplementedError("each request has a connection of its own")

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        raise NotImplementedError("it asks us")

    async def lose(self) -> None:
        raise NotImplementedError("it sends until it is told that we have it")

    @property
    def connections(self) -> int:
        with socket.socket() as one:
            return int(one.connect_ex(("127.0.0.1", self.port)) == 0)

    # -- sending -------------------------------------------------------------------------------------------

    def _mention(self) -> dict[str, str]:
        self._mentions += 1
        native = f"crm:{self._mentions}"
        return {"id": native, "text": f"webhook:{native} said Ünicode 🔥", "author_id": "cust-7", "lang": "en"}

    def _post(self, kind: str, data: dict[str, Any]) -> None:
        event = {"type": kind, "timestamp": datetime.now(UTC).isoformat(), "data": data}
        self._queue_up(json.dumps(event).encode(), "application/json")

    def _queue_up(self, body: bytes, content_type: str) -> None:
        self._messages += 1
        self._queue.append(Message(self._messages, body, content_type))
        self._more.set()

    async def _send(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            await self._more.wait()
            self._more.clear()
            while self._queue:
                if await self.attempt(self._queue[0]) in range(200, 300):
                    self._queue.popleft()
                    wait_s = FIRST_WAIT_S
                else:
                    await asyncio.sleep(random.uniform(0, wait_s))
                    wait_s = min(LONGEST_WAIT_S, 2 * wait_s)

    async def attempt(self, message: Message) -> int:
        """Post once, signed for this moment; 0: nobody answered."""
        try:
            async with self._session.post(self.url, data=message.body, headers=self.signed(message)) as answer:
                self.answers.append(answer.status)
                assert answer.ok or answer.status in LATER, await answer.text()
                return answer.status
        except aiohttp.ClientError:
            return 0

    def signed(self, message: Message) -> dict[str, str]:
        now = datetime.now(UTC)
        return {
            "content-type": message.content_type,
            "webhook-id": message.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signature(self.secret).sign(message.id, now, message.body.decode()),
        }


def _native(mention_id: str) -> str:
    return mention_id.removeprefix("webhook:")
