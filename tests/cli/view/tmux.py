"""A real terminal for tests: a tmux server of its own, in which a person's keys can be pressed and the screen read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

PATIENCE_S = 40.0

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux: apt-get install tmux")


class Window:
    """A window in which `groundswell` runs, and then says how it ended."""

    def __init__(self, *arguments: str, env: Mapping[str, str], width: int, height: int) -> None:
        self._socket = f"test-{uuid.uuid4().hex[:8]}"
        command = f"{sys.executable} -m agents.cli {' '.join(arguments)}; echo exit $?; stty -a; cat"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TMUX")}
        self._environment = inherited | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | dict(env)
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), command)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    @property
    def pid(self) -> int:
        """The process in the window."""
        shell = self._tmux("display", "-p", "#{pane_pid}").strip()
        return int(subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=True).stdout.split()[0])

    @property
    def screen(self) -> str:
        """What a person sees."""
        return self._tmux("capture-pane", "-p")

    @property
    def scrolled(self) -> str:
        """That, and what has been scrolled away."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-1000")

    def until(self, *wanted: str | Callable[[str], object], patience_s: float = PATIENCE_S) -> str:
        """The first screen on which all of that is to be seen."""
        give_up_at = monotonic() + patience_s
        while True:
            screen = self.screen
            if all(one in screen if isinstance(one, str) else one(screen) for one in wanted):
                return screen
            assert monotonic() < give_up_at, f"not seen within {patience_s} s: {wanted}\n{screen}"
            sleep(0.1)  # nobody tells when a terminal changes

    def _tmux(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-u", "-L", self._socket, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
