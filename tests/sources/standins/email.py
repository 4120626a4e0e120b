"""A real IMAP server, Dovecot, as a plain process on loopback with a mailbox of its own. Debian: dovecot-imapd."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from agents.cli.localkafka import free_port
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

USER, PASSWORD = "help@acme.example", "battery-horse"
STARTS_WITHIN_S = 10.0
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
auth_failure_delay = 0s
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
{more}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""


class EmailStandIn:
    """`more` is added to Dovecot's configuration."""

    can = frozenset({"garble", "gap", "interrupt", "resume"})

    def __init__(self, more: str = "ssl = no") -> None:
        self._more = more
        self._count = 0

    @property
    def options(self) -> dict[str, str]:
        host, _, port = self.network.address.partition(":")
        return {"host": host, "port": port, "user": USER, "tls": "no", "every": "0.05"}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"GROUNDSWELL_EMAIL_PASSWORD": PASSWORD}

    async def __aenter__(self) -> Self:
        if (program := shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")) is None:
            pytest.skip("no IMAP server: apt-get install dovecot-imapd")
        self.folder = Path(tempfile.mkdtemp(prefix="groundswell-imap-"))
        self._port, self.tls_port = free_port(), free_port()
        self._write_config()
        self._process = _start(program, self.folder / "dovecot.conf")
        try:
            self._wait_until_it_serves()
            self.network = await Proxy(self._port).__aenter__()
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.network.__aexit__()
        self._end()

    def _write_config(self) -> None:
        """Dovecot serves no mail as root, and its front door not even with a root's leave."""
        root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid())
        owner = pwd.getpwnam("nobody") if root else me
        internal = "dovecot" if root else me.pw_name
        (self.folder / "mail").mkdir()
        os.chown(self.folder / "mail", owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o755)
        (self.folder / "dovecot.conf").write_text(
            CONFIG.format(
                folder=self.folder,
                internal=internal,
                internal_group=internal if root else grp.getgrgid(me.pw_gid).gr_name,
                login="dovenull" if root else me.pw_name,
                uid=owner.pw_uid,
                gid=owner.pw_gid,
                password=PASSWORD,
                port=self._port,
                tls_port=self.tls_port,
                more=self._more,
            )
        )

    def _wait_until_it_serves(self) -> None:
        until = time.monotonic() + STARTS_WITHIN_S
        while True:
            with suppress(OSError, imaplib.IMAP4.error), self.client():
                return
            if time.monotonic() > until or self._process.poll() is not None:
                log = self.folder / "log"
                raise AssertionError(f"Dovecot does not start: {log.read_text() if log.exists() else 'no log'}")
            time.sleep(0.02)

    def _end(self) -> None:
        """All of its processes, at once: it takes its time where it is asked."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self) -> imaplib.IMAP4:
        """Somebody else who uses the mailbox, past the network that can be broken."""
        client = imaplib.IMAP4("127.0.0.1", self._port, timeout=STARTS_WITHIN_S)
        try:
            client.login(USER, PASSWORD)
            client.select("INBOX")
        except BaseException:
            client.shutdown()
            raise
        return client

    # -- what people do ------------------------------------------------------------------------------------

    async def say(self, count: int) -> list[str]:
        await self.network.heal()
        numbers = range(self._count + 1, self._count + count + 1)
        self._count += count
        self.deliver(
            *(
                f"Message-ID: <{number}@mail.example>\r\nDate: Sat, 21 Nov 2026 11:40:00 +0000\r\n"
                f"From: Kim <Kim@customer.example>\r\nSubject: Kettle\r\n\r\nIt leaks: email:{number}@mail.example\r\n".encode()
                for number in numbers
            )
        )
        return [f"email:{number}@mail.example" for number in numbers]

    def deliver(self, *messages: bytes) -> None:
        with self.client() as client:
            for message in messages:
                assert client.append("INBOX", "", "", message)[0] == "OK"

    def remove(self, count: int) -> None:
        """Somebody moves the latest messages elsewhere."""
        with self.client() as client:
            uids = client.uid("SEARCH", "ALL")[1][0].decode().split()[-count:]
            client.uid("STORE", ",".join(uids), "+FLAGS", r"(\Deleted)")
            client.expunge()

    def unseen(self) -> int:
        with self.client() as client:
            return len(client.uid("SEARCH", "UNSEEN")[1][0].split())

    async def edit(self, mention_id: str) -> None:
        raise NotImplementedError

    delete = edit

    async def remove_account(self, mention_id: str) -> str:
        raise NotImplementedError

    async def garble(self) -> bytes:
        self.deliver(b"From nobody\r\n\xff\xfe\xf0 this is no message\r\n")
        return b"\xff\xfe\xf0"

    async def interrupt(self) -> None:
        self.network.cut()

    async def limit(self, retry_after_s: int) -> Callable[[], list[float]]:
        raise NotImplementedError

    async def lose(self) -> None:
        await self.say(2)
        self.remove(2)

    @property
    def connections(self) -> int:
        return len(self.network._connections)


def _start(program: str, config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([program, "-F", "-c", config], start_new_session=True)
