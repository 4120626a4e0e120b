from __future__ import annotations

import logging

from agents.cli.logs import Printable, Seldom


def line(message: str, *args: object, **more: object) -> str:
    record = logging.LogRecord("sources", logging.WARNING, "", 0, message, args, None, **more)
    return Printable("%(levelname)s %(message)s").format(record)


def test_what_others_say_controls_no_terminal() -> None:
    assert line("%s is gone", "feed \x1b[2J\x07\udcff") == "WARNING feed \ufffd[2J\ufffd\ufffd is gone"


def test_nobodys_words_look_like_a_line_of_ours() -> None:
    assert line("gap: %s", "x\nERROR all is lost").splitlines() == ["WARNING gap: x", "  ERROR all is lost"]


def said(name: str, message: str, at_s: float) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, "", 0, message, (at_s,), None)
    record.created = at_s
    return record


def test_kafkas_client_says_the_same_but_once_in_a_while() -> None:
    seldom = Seldom(every_s=10)
    times = [0.0, 0.1, 5.0, 9.9, 10.0, 12.0]
    assert [at_s for at_s in times if seldom.filter(said("aiokafka.client", "no node: %s", at_s))] == [0.0, 10.0]
    assert seldom.filter(said("aiokafka.client", "another: %s", 0.2))


def test_what_we_say_ourselves_is_always_said() -> None:
    seldom = Seldom()
    assert all(seldom.filter(said("agents.sources.listening", "asked again", 0)) for _ in range(3))
