from __future__ import annotations

import logging

from agents.cli.logs import Printable


def line(message: str, *args: object, **more: object) -> str:
    record = logging.LogRecord("sources", logging.WARNING, "", 0, message, args, None, **more)
    return Printable("%(levelname)s %(message)s").format(record)


def test_what_others_say_controls_no_terminal() -> None:
    assert line("%s is gone", "feed \x1b[2J\x07\udcff") == "WARNING feed \ufffd[2J\ufffd\ufffd is gone"


def test_nobodys_words_look_like_a_line_of_ours() -> None:
    assert line("gap: %s", "x\nERROR all is lost").splitlines() == ["WARNING gap: x", "  ERROR all is lost"]
