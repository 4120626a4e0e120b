"""Why `streams/consumer.py` exists: what plain Faust does in the test that our workers pass."""

from __future__ import annotations

import pytest

from tests.faults import restarted

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(300)]

MOST_ROUNDS = 25
"""About two restarts in five skip something, so as many in a row that do not are no chance."""


async def test_plain_faust_skips_what_waited_while_it_was_restarted(kafka, prefix, tmp_path, say):
    found = await restarted.of_plain_faust(kafka, prefix, tmp_path, MOST_ROUNDS)
    say(f"plain Faust: {found.skipped} of {found.messages} messages skipped, in restart {found.rounds}")
    assert found.skipped, "plain Faust no longer loses: reconsider streams/consumer.py"
