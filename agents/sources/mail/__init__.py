"""The source `email`: what people write to an address of yours, by IMAP; nothing in the mailbox is changed."""

from __future__ import annotations

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar, Self

from agents.sources.interface import Gap, Reached, Sourced, SourceError
from agents.sources.mail.mailbox import Mailbox
from agents.sources.mail.message import read_message
from agents.sources.options import Options, Secret
from agents.sources.times import Clock
from streams.core.endpoints import is_loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from agents.sources.interface import Event
    from agents.sources.mail.mailbox import Letter

log = logging.getLogger(__name__)

AT_ONCE = 20
"""Messages fetched by one command: their bytes are held in memory."""


class Email:
    """Reads a mailbox in the order in which messages came into it.

    A cursor is `UIDVALIDITY:UID` of the last message. Under another validity the mailbox is read from its beginning:
    what was told before has the same Message-ID, and intake drops it. No IDLE: with imapclient a message that comes
    just as it begins stays unnoticed until it ends, and a look costs next to nothing.
    """

    name = "email"
    about: ClassVar[str] = "a mailbox, by IMAP; it is only read, and nothing is marked as seen"
    options: ClassVar[Mapping[str, str]] = {
        "host": "the IMAP server",
        "port": "its port (default 993; 143 with tls=no)",
        "user": "who logs in",
        "password": Secret("the password, often one for applications only"),
        "mailbox": "which one (default INBOX)",
        "tls": "yes (default) or no, which only loopback may have",
        "since": "at first, leave out what came before this day; default: all that is there",
        "every": "seconds between two looks, over one connection (default 15)",
    }

    def __init__(
        self,
        host: str,
        user: str,
        password: str,
        *,
        port: int | None = None,
        mailbox: str = "INBOX",
        tls: bool = True,
        since: datetime | None = None,
        every_s: float = 15.0,
    ) -> None:
        """Connect to nothing yet.

        Raises:
            SourceError: without TLS, the password would leave this machine.
        """
        if not tls and not is_loopback(host):
            raise SourceError(f"email: tls=no sends the password to {host} in plain sight; leave it out")
        self._host, self._port, self._user, self._password = host, port or (993 if tls else 143), user, password
        self._mailbox, self._tls, self._since, self._every_s = mailbox, tls, since, every_s
        self._clock = Clock()
        self.automatic = 0
        """Messages left out so far, because no person wrote them."""
        self.cursor_key: str | None = f"email:{host}/{user}/{mailbox}"

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown, missing or wrong.
        """
        given = Options(cls.name, options, cls.options)
        return cls(
            given.required("host"),
            given.required("user"),
            given.required_secret("password"),
            port=int(given.number("port", 0, least=0, most=65_535)) or None,
            mailbox=given.text("mailbox", "INBOX"),
            tls=given.one_of("tls", ("yes", "no")) == "yes",
            since=given.time("since"),
            every_s=given.number("every", 15.0, least=0.01, most=86_400),
        )

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        """Read what is there, then what comes.

        Raises:
            SourceDownError: the server cannot be had now.
            SourceError: it lets us in never.
        """
        validity, last = _read(cursor)
        loop = asyncio.get_running_loop()
        box = Mailbox(self._host, self._port, self._user, self._password, self._mailbox, tls=self._tls)
        pool = ThreadPoolExecutor(1, "email")
        try:
            await loop.run_in_executor(pool, box.open)
            from_start = validity != box.validity
            if from_start:
                if cursor is not None:
                    log.warning("email: %s is numbered anew: it is read from its beginning", self._mailbox)
                last = 0
            yield Reached(f"{box.validity}:{last}")
            end = box.next_uid - 1
            while True:
                since = self._since if from_start else None
                uids = await loop.run_in_executor(pool, box.after, last, since)
                end = max([end, *uids])
                if not from_start and (lost := end - last - len(uids)) > 0:
                    yield self._gap(lost)
                for first in range(0, len(uids), AT_ONCE):
                    some = uids[first : first + AT_ONCE]
                    letters = await loop.run_in_executor(pool, box.fetch, some)
                    if lost := len(some) - len(letters):
                        yield self._gap(lost)
                    for letter in letters:
                        # Not here: a message may take long, and everybody else would wait.
                        if (said := await loop.run_in_executor(pool, self._said, letter, box.validity)) is not None:
                            yield said
                last, from_start = max(last, end), False
                yield Reached(f"{box.validity}:{last}")
                await self._clock.sleep(self._every_s)
        finally:
            box.hang_up()
            pool.submit(box.close)
            await asyncio.to_thread(pool.shutdown)

    def _gap(self, lost: int) -> Gap:
        return Gap(f"{lost} messages had left {self._mailbox} before they could be read")

    def _said(self, letter: Letter, validity: int) -> Sourced | None:
        cursor = f"{validity}:{letter.uid}"
        mention = read_message(letter.raw, received=letter.received, now=self._clock.now())
        if mention == "automatic":
            self.automatic += 1
            log.info("email: %s/%s was written by no person: left out, the %d.", self._mailbox, cursor, self.automatic)
            return None
        if mention is None:
            return Sourced(f"email:unreadable/{cursor}".encode(), letter.raw, cursor)
        return Sourced.of(mention, cursor)


def _read(cursor: str | None) -> tuple[int | None, int]:
    if cursor is None:
        return None, 0
    if not (found := re.fullmatch(r"(\d{1,10}):(\d{1,10})", cursor, re.ASCII)):
        raise SourceError(f"email: the cursor {cursor[:80]!r} is not UIDVALIDITY:UID")
    return int(found[1]), int(found[2])
