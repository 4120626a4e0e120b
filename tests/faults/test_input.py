"""Sources say everything again and again, too late, too early, or all at once: each mention counts once, where it belongs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from streams.topics import BRAND_STATS, DEAD_LETTERS
from tests.faults import figures, inputs, oracle
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

FAST = 2_000
"""Records a second, where the pace is of no interest."""


@pytest.mark.long
async def test_every_mention_delivered_2_to_5_times_and_shuffled_counts_once_also_through_a_kill(
    kafka, prefix, tmp_path, say
):
    story = inputs.repeated(seed=11, mentions=2_500, since=oracle.beginning())
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a")
        await flow.shared()
        publishing = asyncio.create_task(flow.publish(story, 1_200))
        await flow.told(at_least=sum(len(said.tells) for said in story) / 2)
        await flow.kill(worker)
        flow.start_worker("a")
        await publishing
        await flow.settled()
        verdict, standing = await flow.verdict(), await flow.standing()
    repeats = sum(said.what == "duplicate" for said in story)
    say(f"2 to 5 times, shuffled, one kill: {verdict}; {repeats:,} duplicates, each booked as one")
    assert not verdict.wrong
    assert not list(figures.unbalanced(flow.published, standing))
    assert figures.counted(standing) == figures.heard(story)


async def test_what_comes_late_or_early_is_applied_late_or_set_aside_and_rests_in_its_own_minute(
    kafka, prefix, tmp_path, say
):
    now = datetime.now(UTC)
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
        settings = flow.settings
        partitions = settings.raw_partitions
        story = inputs.out_of_time(
            12,
            4_000,
            now,
            partitions=partitions,
            lateness_s=settings.allowed_lateness_s,
            future_s=settings.max_future_s,
        )
        flow.start_worker("a")
        await flow.shared()
        await flow.publish(story, FAST)
        await flow.settled()
        await flow.publish(inputs.gossip(partitions, now + timedelta(seconds=270)))  # on to the next minute
        await figures_are_out(flow, story)
        await flow.settled()
        verdict, standing = await flow.verdict(), await flow.standing()
        stats = figures.read_stats(await flow.eyes.read(BRAND_STATS.full_name(settings)))
        dead = await flow.eyes.read(DEAD_LETTERS.full_name(settings))
    late, set_aside = sum(said.late for said in story), sum(said.what == "dead" for said in story)
    say(f"late and early: {verdict}; {late} late, {set_aside} from the future")
    assert not verdict.wrong
    assert not list(figures.unbalanced(flow.published, standing))
    assert figures.counted(standing) == figures.heard(story)
    assert {dict(record.headers)["dlq.reason"] for record in dead} == {b"time_future"}
    latest = {one.brand: one for one in stats}
    for span_s, name in ((3600, "hour"), (86_400, "day")):
        heard = figures.heard(story, span_s)
        for brand, one in latest.items():
            running = getattr(one, name)
            assert running.mentions == heard[brand, int(running.start.timestamp())], (brand, name)


@pytest.mark.long
async def test_a_backlog_that_waited_while_no_worker_ran_is_not_late_and_rests_in_its_own_minutes(
    kafka, prefix, tmp_path, say
):
    """It spans far more than the allowed lateness, so whoever asked a clock would call most of it late."""
    now = datetime.now(UTC)
    before, since = now - timedelta(minutes=45), now - timedelta(minutes=40)
    story = [*inputs.in_order(1, 500, before, since), *inputs.in_order(2, 8_000, since, now)]
    async with Flow(kafka, prefix, tmp_path) as flow:
        worker = flow.start_worker("a")
        await flow.publish(story[:500])
        await flow.settled()
        await flow.stop(worker)
        await flow.publish(story[500:])
        flow.start_worker("a")
        await flow.publish(inputs.gossip(flow.settings.raw_partitions, now + timedelta(seconds=70)))
        await figures_are_out(flow, story)
        await flow.settled()
        verdict, standing = await flow.verdict(), await flow.standing()
        stats = figures.read_stats(await flow.eyes.read(BRAND_STATS.full_name(flow.settings)))
    heard = figures.heard(story)
    say(f"a backlog of 40 minutes: {verdict}; {len(stats)} minutes published")
    assert not verdict.wrong
    assert not list(figures.unbalanced(flow.published, standing))
    assert figures.counted(standing) == heard
    wrong = [
        (one.brand, str(one.minute.start), one.minute.mentions, heard[one.brand, int(one.minute.start.timestamp())])
        for one in stats
        if one.minute.mentions != heard[one.brand, int(one.minute.start.timestamp())]
    ]
    assert not wrong


@pytest.mark.long
async def test_deletions_edits_and_removals_in_every_order_twice_and_late_leave_nothing_shown_and_counts_right(
    kafka, prefix, tmp_path, say
):
    lives = inputs.lives()
    brands = [*(life.brand for life in lives), inputs.ELSEWHERE]
    rules = "ruleset: lives\nbrands:\n" + "".join(f"  - {{id: {brand}, match: {brand}}}\n" for brand in brands)
    async with Flow(kafka, prefix, tmp_path, rules=rules) as flow:
        now, partitions = datetime.now(UTC).replace(microsecond=0), flow.settings.raw_partitions
        keys = inputs.keys_by_partition(partitions, "removal")
        told = {life: inputs.tell(life, now - inputs.LATE_BY * (life.kind == "late"), keys) for life in lives}
        late = [one.steps for life, one in told.items() if life.kind == "late"]
        in_time = [one.steps for life, one in told.items() if life.kind != "late"]
        flow.start_worker("a")
        await flow.shared()
        await flow.publish(inputs.at_once(13, [steps[:1] for steps in late]))
        await flow.publish(inputs.gossip(partitions, now))
        await flow.publish(inputs.at_once(14, [*in_time, *(steps[1:] for steps in late)]), FAST)
        await flow.settled()
        verdict, standing = await flow.verdict(), await flow.standing()
    say(f"{len(lives):,} lives of a mention: {verdict}")
    assert not verdict.wrong
    assert not list(figures.unbalanced(flow.published, standing))
    tallies = figures.tallies(standing)
    shown = {life: [sample.text for sample in tallies[life.brand].samples] for life in lives if life.brand in tallies}
    wrong = [
        (*life, texts) for life, texts in shown.items() if texts != ([told[life].shown] if told[life].shown else [])
    ]
    assert not wrong, f"{len(wrong)} of them are shown otherwise"
    assert not tallies[inputs.ELSEWHERE].samples
    assert figures.counted(standing) == figures.heard(story.said for story in flow.published)


async def figures_are_out(flow: Flow, story: list[oracle.Said]) -> None:
    """Return once brand-stats has spoken of all that each brand was told."""
    wanted = {brand: sum(brand in said.brands for said in story) for brand in oracle.BRANDS}

    async def they_are() -> bool:
        stats = figures.read_stats(await flow.eyes.read(BRAND_STATS.full_name(flow.settings)))
        return {one.brand: one.applied + one.late for one in stats} == wanted

    await until("the figures of all brands are published", they_are, 60)
