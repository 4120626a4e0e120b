"""The lines of the live view."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from agents.cli.view import sections
from agents.cli.view.detail import HELP, detail
from agents.cli.view.draw import KEYS, LEAST_HEIGHT, LEAST_WIDTH, choices, dashboard
from agents.cli.view.model import Away, Pulse, View
from agents.cli.view.sections import Choice
from tests.cli.view.stories import HOSTILE, MINUTE, NOON, afternoon, alert, expected, source, stats

WELL = (Pulse(0, 0, 0.0, 2), Pulse(2, 85, 0.42, 2))


def shown(*events, now=NOON):
    view = View()
    for event in events:
        view.take(event)
    return view.shown(now)


def screen(*events, width=80, height=24, chosen=None, now=NOON):
    seen = shown(*events, now=now)
    chosen = chosen or next(iter(choices(seen)), None)
    return [line.plain for line in dashboard(seen, "127.0.0.1:9092", width, height, chosen)]


def line_of(screen, start):
    [line] = [line for line in screen if line.strip().startswith(start)]
    return line


@given(width=st.integers(1, 250), height=st.integers(1, 80), many=st.integers(0, 12))
@settings(deadline=None)
def test_whatever_is_shown_it_stays_within_the_window(width, height, many):
    events = [*WELL, *afternoon(NOON)]
    events += [stats(f"brand {n}") for n in range(many)] + [alert(f"b{n}", texts=HOSTILE) for n in range(many)]
    lines = screen(*events, width=width, height=height)
    assert len(lines) <= height
    assert all(cell_len(line) <= width and "\n" not in line and "\x1b" not in line for line in lines)
    if width >= LEAST_WIDTH and height >= LEAST_HEIGHT:
        assert len(lines) == height
        assert lines[-1] == KEYS


def test_the_first_line_says_how_fast_how_far_behind_and_up_to_when():
    first, second, *_ = screen(*WELL, stats())
    assert first.rstrip() == "Groundswell   42.5 mentions/s, lag 0.4 s, 2 workers, counted up to 12:00 UTC"
    assert second == ""
    late = screen(*WELL, stats(), now=NOON + timedelta(hours=3))
    assert late[1] == "What was counted last was witnessed 3 h ago: Mon 2026-01-05 12:00 UTC."


def test_that_no_worker_runs_is_plain():
    assert "lag 3 min, NO WORKER" in screen(Pulse(0, 0, 200.0, 0))[0]


def test_where_kafka_is_away_it_is_said_and_what_was_known_stays():
    lines = screen(*WELL, stats(), Away("no Kafka broker answers at 127.0.0.1:9092"))
    assert lines[1].startswith("WAITING: no Kafka broker answers at 127.0.0.1:9092; below is how it stood")
    assert "mentions/s" not in lines[0]
    assert "dell" in "".join(lines)


def test_with_no_data_it_says_what_brings_some():
    lines = screen(*WELL)
    assert "  Alerts: none open" in [line.rstrip() for line in lines]
    assert any("`groundswell listen` brings mentions" in line for line in lines)


def test_a_brand_stands_beside_what_is_usual_for_it():
    bands = (expected("all", 181, 136.2, 224), expected("negative", 71, 15.4, 33))
    lines = screen(stats(minutes=[4] * 60, negative=[1] * 60, expected=bands))
    assert line_of(lines, "▸ dell").split()[-5:] == ["240", "mentions", "181", "136.2", "224"]
    assert lines[lines.index(line_of(lines, "▸ dell")) + 1].split()[-6:] == ["25%", "negative", "71", "15.4", "33", "▲"]
    assert "in 30 min   usual speaks at" in line_of(lines, "Brands")


def test_a_wide_window_draws_a_minute_a_bar_and_the_band():
    lines = screen(stats(minutes=[1] * 60, expected=(expected("all", 20, 5.4, 12),)), width=160, height=45)
    assert "▂" * 60 in line_of(lines, "▸ dell")
    assert "┃" in line_of(lines, "▸ dell")
    assert "┼" in line_of(lines, "▸ dell")


def test_a_brand_that_is_learned_says_for_how_long_instead_of_a_band():
    assert "learns for 2 d more" in line_of(screen(stats(learning_until=NOON + timedelta(hours=51))), "▸ dell")


def test_an_alert_is_told_with_age_severity_evidence_and_posts():
    lines = screen(stats(), alert(texts=("it burns", "mine too")))
    first = next(number for number, line in enumerate(lines) if line.startswith("▸ critical"))
    assert lines[first] == "▸ critical  12 min old   dell: 17 negative mentions in 30 min, 5.4 expected"
    assert lines[first + 1] == "    17 authors; 37% negative (usually 19%); about battery_fire 12; on x 41"
    assert lines[first + 2 : first + 4] == ["    12:00 tom1: it burns", "    11:59 mia: mine too"]


@pytest.mark.parametrize(
    ("about", "said"),
    [({"nature": "praise"}, "praise"), ({"nature": "flood"}, "flood"), ({"muted_by": "known event: launch"}, "muted")],
)
def test_a_ticket_is_told_as_one_with_what_it_is_about_and_why_nobody_was_paged(about, said):
    told = [stats(), alert(urgency="ticket", **about)]
    lines = screen(*told)
    page = [line.plain for line in detail(shown(*told), Choice("alert", told[1].id))]
    assert line_of(lines, "▸ ticket").startswith(f"▸ ticket    12 min old   {said}: dell: 17 negative mentions")
    assert any("Alerts: none open, 1 ticket" in line for line in lines)
    assert page[0].startswith(f"TICKET  {said}: dell")
    assert ("does not page: known event: launch" in page) == ("muted_by" in about)


def test_a_resolved_alert_says_how_long_it_was_open():
    over = alert(status="resolved", resolved_at=NOON - MINUTE, started_at=NOON - 31 * MINUTE)
    lines = screen(stats(), over)
    assert line_of(lines, "▸ resolved").startswith("▸ resolved  after 30 min dell:")
    assert any("Alerts: none open" in line for line in lines)


def test_a_source_that_waits_says_why_and_one_whose_process_is_silent_for_how_long():
    waiting = source(
        "mastodon:m.example/public", state="waiting", says="HTTP 429", published=20_311, reconnects=7, gaps=1
    )
    lines = screen(waiting, source("rss:feeds"), now=NOON + timedelta(seconds=60))
    assert line_of(lines, "mastodon").split() == ["mastodon:m.example/public", "waiting", "20,311", "62", "s", "7", "1"]
    assert line_of(lines, "HTTP 429")
    later = screen(waiting, source("rss:feeds"), now=NOON + 5 * MINUTE)
    assert line_of(later, "rss:feeds").split()[1] == "unheard"
    assert later.count("    its process has said nothing for 5 min") == 2


@pytest.mark.parametrize("last", ["m", "z"])
def test_where_not_everything_fits_what_is_chosen_is_in_sight(last):
    brands = [stats(name) for name in "abcdefghijklmnopqrstuvwxyz"]
    lines = screen(*WELL, alert(), *brands, chosen=Choice("brand", last))
    assert line_of(lines, f"▸ {last}")
    assert any("of 26; the arrows lead to the others" in line for line in lines)
    assert any("Sources" in line for line in lines)


def test_of_hundreds_of_brands_and_alerts_only_those_in_sight_are_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(sections, "sparkline", lambda counts, cells: drawn.append(counts) or "")
    monkeypatch.setattr(sections, "said_by", lambda sample: drawn.append(sample) or "")
    measured = []
    monkeypatch.setattr(sections, "words", lambda text: measured.append(text) or text)
    events = [stats(f"brand {n}") for n in range(300)] + [alert(f"a{n}", texts=("a", "b")) for n in range(40)]

    screen(*WELL, *events, *(source(f"rss:{n}") for n in range(20)))

    assert len(drawn) < 2 * 24
    assert len(measured) < 4 * 300, "more than a few looks at each name"


def test_alerts_give_way_to_brands_and_sources_by_half_a_window_only():
    lines = screen(*WELL, *(alert(f"a{n}") for n in range(20)), *(stats(f"b{n}") for n in range(9)), source())
    assert sum("critical" in line for line in lines) >= 2
    assert sum(" mentions" in line for line in lines) >= 2
    assert line_of(lines, "bluesky")


def test_colours_are_not_needed():
    lines = screen(*WELL, *afternoon(NOON), height=40)
    for word in ("critical", "▲", "learns", "waiting", "unheard", "▸"):
        assert any(word in line for line in lines)


def test_all_that_is_known_of_an_alert_is_on_its_page():
    page = "\n".join(line.plain for line in detail(shown(stats(), alert(texts=HOSTILE)), Choice("alert", "a1")))
    for part in (
        "CRITICAL  dell: 17",
        "since 2026-01-05 11:48 UTC",
        "x 41, bluesky 30, reddit 20",
        "score 6.4",
        "https://x.example/5",
    ):
        assert part in page
    assert "[red]markup[/red]" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_brands_page_has_its_figures_its_bands_and_its_alerts():
    seen = shown(stats(expected=(expected("negative"),)), alert(), alert("other", "hp"))
    page = "\n".join(line.plain for line in detail(seen, Choice("brand", "dell")))
    for part in ("counted 40,321 mentions in all", "since 12:00", "volume/negative", "12 ▲", "CRITICAL  dell"):
        assert part in page
    assert "hp:" not in page


def test_what_was_chosen_may_be_gone():
    assert [line.plain for line in detail(shown(), Choice("alert", "a1"))] == ["This alert is over, and shown no more."]
    assert detail(shown(), Choice("brand", "dell"))


def test_help_fits_a_window_of_80():
    assert max(map(len, HELP.splitlines())) <= 77


def test_alerts_are_chosen_before_brands():
    assert choices(shown(stats(), alert())) == [("alert", "a1"), ("brand", "dell")]
