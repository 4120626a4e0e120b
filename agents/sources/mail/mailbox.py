"""One mailbox on an IMAP server, looked at without leaving a trace: every call blocks, so it is for a thread."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from agents.sources.interface import SourceDownError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

ANSWER_WITHIN_S = 15.0
MOST_BYTES = 512 * 1024
"""Of one message: its words come first, its pictures later."""

LATER = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]", "[CONTACTADMIN]")
"""RFC 5530: a login that fails for these was not refused."""


class Letter(NamedTuple):
    """One message: its bytes, or their beginning, and when the server took it."""

    uid: int
    received: datetime
    raw: bytes


class Mailbox:
    """`open` first. Each method may raise a SourceError; `hang_up` is for another thread, `close` for the end."""

    def __init__(self, host: str, port: int, user: str, password: str, name: str, *, tls: bool) -> None:
        self._host, self._port, self._user, self._password, self._name = host, port, user, password, name
        self._tls = tls
        self._hung_up = False
        self._connected: IMAPClient | None = None
        self.validity, self.next_uid = 0, 0
        """UIDs mean nothing under another validity; `next_uid` is the one that the next message gets, when it was opened."""

    def open(self) -> None:
        """Connect, log in, and look at the mailbox, read-only."""
        where = f"{self._host}:{self._port}"
        with self._told("connecting"):
            context = ssl.create_default_context() if self._tls else None
            client = IMAPClient(self._host, self._port, ssl=self._tls, ssl_context=context, timeout=ANSWER_WITHIN_S)
            client.normalise_times = False
            self._connected = client
            if self._hung_up:
                self.hang_up()
            try:
                client.login(self._user, self._password)
            except UnicodeEncodeError:
                raise SourceError(
                    "email: user and password may hold ASCII only; others do not fit into LOGIN"
                ) from None
            except LoginError as refused:
                if isinstance(refused.__context__, IMAPClientAbortError) or any(one in str(refused) for one in LATER):
                    raise SourceDownError(f"email: {where} lets nobody in now: {self._safe(refused)}") from None
                raise SourceError(
                    f"email: {where} does not let {self._user} in: {self._safe(refused)}; is the password right, "
                    "and may it be used with IMAP (an app password)?"
                ) from None
            try:
                status = client.select_folder(self._name, readonly=True)
            except IMAPClientAbortError:
                raise
            except IMAPClientError as refused:
                raise SourceError(f"email: no mailbox {self._name!r} at {where}: {self._safe(refused)}") from None
            self.validity, self.next_uid = int(status[b"UIDVALIDITY"]), int(status.get(b"UIDNEXT", 1))

    def after(self, uid: int, since: datetime | None = None) -> list[int]:
        """UIDs above `uid`, in order; of messages that came at the day of `since` or later."""
        criteria: list[object] = ["UID", f"{uid + 1}:*", *(["SINCE", since.date()] if since else [])]
        with self._told("searching"):
            self._client.noop()  # SEARCH by itself may answer from before the latest message
            # The star is the last message, however low its UID is.
            return sorted(one for one in self._client.search(criteria) if one > uid)

    def fetch(self, uids: Sequence[int]) -> list[Letter]:
        """Messages that are still there, in order, without marking them as seen."""
        body = f"BODY.PEEK[]<0.{MOST_BYTES}>"
        with self._told("fetching"):
            found = self._client.fetch(uids, ["INTERNALDATE", body])
        return [
            Letter(uid, found[uid][b"INTERNALDATE"], found[uid][b"BODY[]<0>"])
            for uid in sorted(found)
            if uid in uids and b"BODY[]<0>" in found[uid]
        ]

    def hang_up(self) -> None:
        """Let a call that waits in another thread fail at once."""
        self._hung_up = True
        if self._connected is not None:
            with suppress(OSError, ValueError):
                self._connected.socket().shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection back."""
        if self._connected is not None:
            with suppress(OSError, ValueError):
                self._connected.shutdown()

    @property
    def _client(self) -> IMAPClient:
        assert self._connected is not None
        return self._connected

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Say what an error means."""
        where = f"{self._host}:{self._port}"
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise SourceError(
                f"email: the certificate of {where} is not to be trusted: {error.verify_message}"
            ) from None
        except (OSError, IMAPClientError) as error:
            said = self._safe(error) or type(error).__name__
            raise SourceDownError(f"email: {where} failed while {doing}: {said}") from None

    def _safe(self, error: Exception) -> str:
        return str(error).replace(self._password, "***")
