from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.core.severity import gravity, severity
from streams.records import Evidence

STORM = Evidence(window_s=1800, observed=90, expected=6, score=40.0, authors=80, negative_share=0.8, doubling_min=15.0)

shares = st.floats(0, 1)
counts = st.floats(0, 1e6)
evidences = st.builds(
    Evidence,
    window_s=st.just(1800),
    observed=counts,
    expected=st.floats(0, 1e4),
    score=st.just(9.0),
    authors=st.integers(0, 10_000),
    negative_share=st.none() | shares,
    doubling_min=st.none() | st.floats(0, 1e4),
)


def test_a_fast_angry_crowd_is_critical_whatever_the_watch_line_says():
    assert severity(gravity(STORM), "info") == "critical"


@pytest.mark.parametrize(
    "lacking",
    [
        {"authors": 3},
        {"negative_share": 0.1},
        {"negative_share": None},
        {"observed": 9.0},
        {"doubling_min": None, "authors": 40},
    ],
    ids=["few people", "no anger", "nothing known of anger", "not much more than usual", "slow"],
)
def test_what_lacks_one_of_these_is_what_the_watch_line_says(lacking):
    assert severity(gravity(replace(STORM, **lacking)), "warning") == "warning"


def test_a_hazard_needs_no_anger():
    calm = replace(STORM, negative_share=0.0)

    assert gravity(calm) == 0
    assert severity(gravity(calm, hazard=True), "warning") == "critical"


def test_a_watch_line_that_says_critical_is_never_made_less():
    assert severity(0.0, "critical") == "critical"


@given(evidences, st.floats(0, 1e6), st.integers(0, 1000), shares, st.floats(0, 1e4), st.booleans())
def test_more_people_size_speed_anger_or_hazard_never_makes_it_less_grave(seen, more, people, share, minutes, hazard):
    grave = gravity(seen, hazard=hazard)
    faster = minutes if seen.doubling_min is None else min(minutes, seen.doubling_min)

    assert 0 <= grave <= 10
    assert gravity(replace(seen, observed=seen.observed + more), hazard=hazard) >= grave
    assert gravity(replace(seen, authors=seen.authors + people), hazard=hazard) >= grave
    assert gravity(replace(seen, negative_share=max(share, seen.negative_share or 0)), hazard=hazard) >= grave
    assert gravity(replace(seen, doubling_min=faster), hazard=hazard) >= grave
    assert gravity(seen, hazard=True) >= grave
