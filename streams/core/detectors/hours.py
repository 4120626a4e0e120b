"""Bins of time, as people where a brand lives see them: their hours, their weekends, their daylight saving."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def local_bin(bin_: int, bin_s: int, timezone: str) -> int:
    """The bin as local clocks number it. `timezone` is an IANA name; ZoneInfoNotFoundError where there is none such."""
    if timezone == "UTC":
        return bin_
    return bin_ + _offset_s(bin_ * bin_s // HOUR_S, timezone) // bin_s


@lru_cache(maxsize=4096)
def _offset_s(hour: int, timezone: str) -> int:
    offset = datetime.fromtimestamp(hour * HOUR_S, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
