"""Records of a busy afternoon: an alert, hostile posts, a brand that is learned, sources in all conditions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.records import Alert, BrandStats, Evidence, Expected, Figures, Sample, SourceState

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

HOSTILE = (
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07PWNED \x9b31m",
    "one\r\ntwo\nFIRED [critical] hp\tthree\x0b\x85four\u2028five",
    "\u202eesrever\u202c \u2066isolate\u2069 \u200bzero\ufeffwidth\u00ad",
    "[red]markup[/red] [@click=app.quit]press[/] [link=https://evil.example]me[/link] [/nothing",
    "日本の電池が燃えた🔥🔥 👩‍👩‍👧‍👦 👍🏽 ❤️ 🇯🇵 1️⃣ 한국어",
    "Z̸̡̢̛̗̘̙̜̝a̴̧̨̖̗l̵̛̗g̶̡̢̛ó̂̃ ﷽ नमस्ते مرحبا שלום \U000e0041",
)


def stats(brand: str = "dell", at: datetime = NOON, *, minutes=None, negative=None, **more) -> BrandStats:
    minutes = tuple(minutes or (n % 5 for n in range(60)))
    negative = tuple(negative or (0,) * 60)
    hour = at.replace(minute=0, second=0)
    return BrandStats(
        brand=brand,
        at=at,
        minute=Figures(start=at - MINUTE, span_s=60, mentions=minutes[-1], negative=negative[-1]),
        hour=Figures(start=hour, span_s=3600, mentions=sum(minutes), negative=sum(negative)),
        day=Figures(start=hour.replace(hour=0), span_s=86_400, mentions=12 * sum(minutes), negative=sum(negative)),
        applied=40_321,
        late=more.pop("late", 0),
        minutes=minutes,
        negative_minutes=negative,
        **more,
    )


def expected(series: str = "all", observed: float = 17, usual: float = 5.4, high: float = 12) -> Expected:
    return Expected(detector="volume", series=series, window_s=1800, observed=observed, expected=usual, high=high)


def alert(name: str = "a1", brand: str = "dell", at: datetime = NOON, *, texts=("it burns",), **more) -> Alert:
    samples = tuple(
        Sample(
            id=f"x:{n}",
            text=text,
            observed_at=at - n * MINUTE,
            sentiment="negative",
            author_name=("tom1", "mia\x1b[31m", "[bold]leo[/bold]", "\u202eanna", "日本太郎日本太郎日本太郎日本太郎")[
                n % 5
            ],
            url=f"https://x.example/{n}",
        )
        for n, text in enumerate(texts)
    )
    observed, usual = more.pop("observed", 17), more.pop("usual", 5.4)
    fields = {
        "status": "firing",
        "change": "fired",
        "severity": "critical",
        "title": f"{brand}: {observed} negative mentions in 30 min, {usual} expected",
        "started_at": at - 12 * MINUTE,
        "detectors": ("volume/negative",),
        "evidence": Evidence(
            window_s=1800,
            observed=observed,
            expected=usual,
            score=6.4,
            authors=17,
            negative_share=0.37,
            usual_negative_share=0.19,
            issues={"battery_fire": 12},
            sources={"x": 41, "bluesky": 30, "reddit": 20},
            samples=samples,
        ),
    } | more
    return Alert(
        id=name, brand=brand, at=at, step=more.pop("step", 1), **{k: v for k, v in fields.items() if k != "step"}
    )


def source(key: str = "bluesky", at: datetime = NOON, **more) -> SourceState:
    fields = {"state": "listening", "since": at - timedelta(hours=3), "observed_at": at - timedelta(seconds=2)} | more
    return SourceState(source=key.partition(":")[0], key=key, at=at, **fields)


def afternoon(now: datetime) -> list[BrandStats | Alert | SourceState]:
    """Everything at once, as if it had been heard up to `now`."""
    rising = [3 + n % 4 for n in range(45)] + [5 + n for n in range(15)]
    angry = [n % 2 for n in range(45)] + [n // 2 + 1 for n in range(15)]
    return [
        stats(
            "dell",
            now,
            minutes=rising,
            negative=angry,
            expected=(expected("all", 181, 136.2, 224), expected("negative", 71, 15.4, 33)),
        ),
        stats(
            "hp",
            now,
            minutes=[2 + n * 7 % 5 for n in range(60)],
            negative=[int(n % 11 == 0) for n in range(60)],
            expected=(expected("all", 119, 121.8, 190), expected("negative", 3, 3.1, 14)),
        ),
        stats("acme", now, minutes=[int(n % 9 == 0) for n in range(60)], learning_until=now + timedelta(hours=51)),
        stats("日本\x1b[31m電産 [red]KK[/red]🔥", now, expected=(expected("all", 60, 58.0, 99),)),
        alert(brand="dell", at=now, texts=HOSTILE, observed=71, usual=15.4),
        source("bluesky", now, published=1_234_567, reconnects=1),
        source(
            "mastodon:mastodon.social/public",
            now,
            state="waiting",
            says="HTTP 429 Too Many Requests; asked again in 42.0 s\x1b[2J",
            published=20_311,
            reconnects=7,
            gaps=1,
            observed_at=now - timedelta(minutes=4),
        ),
        source("rss:feeds", now - timedelta(minutes=5), published=12, observed_at=now - timedelta(hours=7)),
    ]
