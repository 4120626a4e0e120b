from __future__ import annotations

import csv
import random
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from agents.cli import main

START = datetime(2026, 3, 2)  # noqa: DTZ001  a file's timestamps name no zone
HEAD = "timestamp,value"


def rows(counts, bin_s=300):
    return [f"{START + timedelta(seconds=bin_s * n)},{count}" for n, count in enumerate(counts)]


def ordinary(bins, seed=1):
    rng = random.Random(seed)
    return [rng.randint(2, 8) for _ in range(bins)]


STORM = [*ordinary(5 * 288), 40, 90, 120, 100, 60, *ordinary(300, seed=2)]


def run(lines, *flags):
    return CliRunner().invoke(main, ["score-series", "--input", "-", *flags], input="\n".join(lines) + "\n")


def scored(lines, *flags):
    result = run(lines, *flags)
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(result.stdout.splitlines()))


def refusal(lines):
    result = run(lines)
    assert result.exit_code != 0
    return result.output


def test_a_storm_scores_and_pages_once_and_ordinary_days_do_not():
    told = scored([HEAD, *rows(STORM)])
    assert [row["timestamp"] for row in told] == [line.split(",")[0] for line in rows(STORM)]
    paged = [n for n, row in enumerate(told) if row["anomaly_score"] != "0"]
    assert paged
    assert paged[0] in (5 * 288, 5 * 288 + 1)
    assert all(n < 5 * 288 + 5 for n in paged)
    assert all(told[n]["anomaly_score"] == told[n]["score"] for n in paged)


def test_what_comes_later_changes_no_score():
    whole, prefix = scored([HEAD, *rows(STORM)]), scored([HEAD, *rows(STORM[: 5 * 288 + 2])])
    assert whole[: len(prefix)] == prefix


def test_bins_left_out_held_nothing():
    counts = ordinary(4 * 288)
    counts[700:760] = [0] * 60
    gap = [line for line in rows(counts) if not line.endswith(",0")]
    kept = {row["timestamp"]: row for row in scored([HEAD, *rows(counts)])}
    assert all(kept[row["timestamp"]] == row for row in scored([HEAD, *gap]))


@pytest.mark.parametrize("bin_s", [60, 900, 3600])
def test_bins_of_other_lengths_will_do(bin_s):
    day = 86_400 // bin_s
    rng = random.Random(3)
    counts = [rng.randint(20, 40) for _ in range(5 * day)] + [900] * 3
    told = scored([HEAD, *rows(counts, bin_s)])
    paged = [n - 5 * day for n, row in enumerate(told) if row["anomaly_score"] != "0"]
    assert paged[0] in (0, 1, 2)


def test_columns_may_come_in_any_order_and_minutes_begin_when_they_like():
    lines = ["who,value,timestamp", *(f"x,{line.split(',')[1]},{line.split(',')[0]}.250" for line in rows([1, 2, 3]))]
    assert [row["value"] for row in scored(lines)] == ["1", "2", "3"]


def test_a_file_is_written_where_it_was_asked_for(tmp_path):
    (tmp_path / "in.csv").write_text("\n".join([HEAD, *rows([1, 2, 3])]))
    flags = ["--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv")]
    assert CliRunner().invoke(main, ["score-series", *flags]).exit_code == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "timestamp,value,score,anomaly_score"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["when,count", "x,1"], "line 1: the columns are when, count; name them timestamp and value"),
        ([HEAD, "yesterday,1"], "line 2: timestamp 'yesterday'"),
        ([HEAD, *rows([1, 2]), "2026-03-02 00:10:00,many"], "line 4: value 'many'; a count is a whole number"),
        ([HEAD, "2026-03-02 00:00:00,-1"], "line 2: value '-1'"),
        ([HEAD, "2026-03-02 00:00:00,nan"], "line 2: value 'nan'"),
        ([HEAD, "2026-03-02 00:00:00"], "line 2: 1 fields; each row needs a timestamp and a value"),
        ([HEAD, *rows([1, 2, 3])[::-1]], "line 3: 2026-03-02 00:05:00 comes after 2026-03-02 00:10:00; sort the rows"),
        ([HEAD, *rows([1, 2]), *rows([1, 2])[1:]], "line 4: 2026-03-02 00:05:00 is there twice"),
        ([HEAD, *rows([1, 2, 3]), "2026-03-02 00:12:30,1"], "line 5: 2026-03-02 00:12:30 lies between two bins"),
        ([HEAD, *rows([1, 2, 3], 420)], "most rows lie 420 s apart; count in bins of an hour"),
        ([HEAD, *rows([1, 2, 3], 86_400)], "most rows lie 86400 s apart"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line_and_what_to_do(lines, says):
    assert says in refusal(lines)


def test_a_time_zone_that_is_none_is_refused():
    result = run([HEAD, *rows([1])], "--timezone", "Mars/Base")
    assert result.exit_code == 2
    assert "'Mars/Base' is no time zone" in result.output
