"""`groundswell warm`: a brand that is new to the rules knows its past, and nothing else changes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from streams.broker import group_members
from streams.core.rules import load_rules
from streams.records import encode
from streams.topics import SCORED
from tests.cli.conftest import Terminal
from tests.cli.recorded import FIRE, recorded, ruled, story
from tests.cli.test_backtest import alerts_of
from tests.faults.harness import Flow, until
from tests.faults.oracle import Said

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.testing import Result

    from streams.records import Mention

BEFORE = "ruleset: kettles\nbrands:\n  - {id: initech, role: own, match: Initech}\n"
"""Nobody listens for Acme or Globex yet."""


def said(mentions: Iterable[Mention]) -> list[Said]:
    return [Said(one.id.encode(), encode(one), "matched") for one in mentions]


@pytest.mark.timeout(180)
@pytest.mark.long
async def test_a_new_brand_that_was_warmed_pages_as_if_it_had_always_been_listened_for_and_the_accounts_add_up(
    kafka, prefix, tmp_path
):
    past = [one for one in story() if one.observed_at < FIRE]
    fire = [one for one in story() if one.observed_at >= FIRE]
    rules = ruled(tmp_path, name="after.yaml")
    judged_by = load_rules(rules.read_text(encoding="utf-8"))
    async with Flow(kafka, prefix, tmp_path, rules=BEFORE) as flow:
        terminal = Terminal(flow.settings)

        async def run(*arguments: str) -> Result:
            return await asyncio.to_thread(terminal.run, *arguments)

        async def nobody_works() -> bool:
            return await group_members(flow.settings) == 0

        async def all_have_turned() -> bool:
            """What may have been told before the worker was stopped keeps the old rules."""
            told = [json.loads(one.value) for one in await flow.eyes.read(SCORED.full_name(flow.settings))]
            turned = [one for one in told if one["kind"] == "rules_changed" and one["version"] == judged_by.version]
            return len({one["origin"]["partition"] for one in turned}) == flow.settings.raw_partitions

        warm = ("warm", "acme", "--from", "raw", "--rules", str(rules))
        file = recorded(tmp_path, [encode(one) for one in past], "past.jsonl")
        worker = flow.start_worker("a")
        await flow.shared()
        await flow.publish(said(past))
        await flow.settled()
        too_early = await run(*warm)
        await flow.stop(worker)
        await until("the worker has left", nobody_works, 30)
        warmed = await run(*warm)
        twice = await run(*warm)
        published = await run("rules", "publish", str(rules))
        from_file = await run("warm", "globex", "--from", str(file))
        quiet = await alerts_of(flow.settings)
        flow.start_worker("a")
        await until("every raw partition is judged by the new rules", all_have_turned, 60)
        await flow.publish(said(fire))
        await flow.settled()
        live = await alerts_of(flow.settings)
        audit = await run("audit", "--json")
        whole = await run("backtest", "--rules", str(rules), "--input", str(recorded(tmp_path)))

    assert "stop them all first" in too_early.stderr
    assert warmed.exit_code == 0, warmed.output
    assert "acme has been heard of already" in twice.stderr
    assert from_file.exit_code == 0, from_file.output
    assert f"globex has learned from {sum('Globex' in one.text for one in past):,} of {len(past):,}" in from_file.stdout
    assert quiet == []
    assert published.exit_code == 0, published.output
    [page] = map(json.loads, whole.stdout.splitlines())
    fired = next(one for one in live if one.change == "fired")
    assert (fired.id, fired.evidence.observed) == (page["id"], page["evidence"]["observed"])
    assert audit.exit_code == 0, audit.output
