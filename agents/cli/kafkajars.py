"""Java, Maven and Apache Kafka's own jars: what the local broker is started from."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
OLDEST_JAVA = 17


class LocalKafkaError(Exception):
    """The local broker cannot run; the message says why and what to do."""


def ensure_jars() -> None:
    """Fetch the jars that `pom.xml` pins, unless they are there. Blocks for the download.

    Several processes may call this at once: one fetches, the others wait. The jars appear under
    their final name only when complete, beside a copy of the pom that they were fetched by.

    Raises:
        LocalKafkaError: no Java or Maven, or the download failed.
    """
    pom, libs, fetched = HOME / "pom.xml", HOME / "libs", HOME / "libs.tmp"
    with _alone():
        fetched_by = libs / pom.name
        if fetched_by.exists() and fetched_by.read_bytes() == pom.read_bytes():
            _require("java")
            return
        _require("java", "mvn")
        print("Fetching Apache Kafka (about 40 MB, once) ...", file=sys.stderr, flush=True)
        shutil.rmtree(fetched, ignore_errors=True)
        run(
            ["mvn", "-q", "-B", "--strict-checksums", "-f", str(pom), "dependency:copy-dependencies"],
            HOME,
            "Maven could not fetch Apache Kafka; is the network there?",
        )
        shutil.copy(pom, fetched)
        shutil.rmtree(libs, ignore_errors=True)
        fetched.rename(libs)


def java(heap: str, *arguments: str) -> list[str]:
    """The command line that runs a class from the jars."""
    return [
        "java",
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",  # starts sooner and takes less memory than the default
        "-XX:+ExitOnOutOfMemoryError",  # half a broker is worse than none
        f"-Dlog4j2.configurationFile={HOME / 'log4j2.xml'}",
        "-cp",
        f"{HOME / 'libs'}/*",
        *arguments,
    ]


def run(command: list[str], cwd: Path, failed: str) -> None:
    """Run to the end, silently.

    Raises:
        LocalKafkaError: it failed; the message is `failed` and the beginning of what it said.
    """
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603  our own command lines
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise LocalKafkaError("\n".join([f"{failed} It said:", *said[:15]]))


@contextmanager
def _alone() -> Iterator[None]:
    folder = os.open(HOME, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _require(*programs: str) -> None:
    """Say in one message everything that is missing."""
    names = {"java": f"Java {OLDEST_JAVA} or newer", "mvn": "Maven"}
    found = {"java": _java_version() >= OLDEST_JAVA, "mvn": shutil.which("mvn") is not None}
    missing = [names[program] for program in programs if not found[program]]
    if missing:
        raise LocalKafkaError(
            f"The local Kafka needs {' and '.join(missing)}. On Debian or Ubuntu: apt-get install "
            "default-jre-headless maven; on macOS: brew install openjdk maven. "
            "Or use any Kafka you have: KAFKA_BOOTSTRAP=host:port make run"
        )


def _java_version() -> int:
    """The major version of the Java on the path; 0: none that runs."""
    if shutil.which("java") is None:
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607  the user's Java
    version = re.search(r'version "(\d+)', said)
    return int(version[1]) if version else 0
