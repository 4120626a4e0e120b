"""A recorded story: days of calm about two makers of kettles, then the one's kettles burn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)
FIRE = BEGIN + timedelta(days=5, hours=2)
EVERY_MIN = 6
POSTS = 60

RULES = """
ruleset: kettles
brands:
  - {id: acme, role: own, match: 'Acme OR @AcmeCare'}
  - {id: globex, role: competitor, match: Globex}
issues:
  - {id: fire, match: 'smoke OR burned OR fire'}
watch:
  - {when: brand:acme, detect: negativity, severity: warning}
  - {when: brand:acme, detect: volume, severity: warning}
"""

THINGS = (
    "kettle",
    "toaster",
    "blender",
    "mixer",
    "oven",
    "fridge",
    "lamp",
    "iron",
    "radio",
    "heater",
    "grill",
    "stove",
)
WHENS = ("today", "yesterday", "tonight", "on Monday", "last week", "in the kitchen", "at work", "for mum")
CALM = (
    "The {brand} {thing} arrived {when}",
    "Is the {brand} {thing} any good?",
    "{when} I bought a {thing} by {brand}",
)
BURNING = (
    "The Acme {thing} burned my hand {when}, terrible",
    "Smoke and fire out of the Acme {thing} {when}, awful, I am scared",
    "{when} my Acme {thing} caught fire, horrible, never buy it",
)


def story(seed: int = 1) -> Iterator[Mention]:
    """Some 2,500 mentions in order of time; from FIRE on, POSTS of them within twenty minutes, each by somebody else."""
    random = Random(seed)
    said: list[tuple[datetime, str, str]] = []
    for number in range(int(timedelta(days=5, hours=6) / timedelta(minutes=EVERY_MIN))):
        at = BEGIN + timedelta(minutes=EVERY_MIN * number, seconds=random.randrange(300))
        said += [(at, f"calm {random.randrange(5000)}", _text(random, CALM, brand)) for brand in ("Acme", "Globex")]
    for number in range(POSTS):
        at = FIRE + timedelta(seconds=20 * number, milliseconds=random.randrange(20_000))
        said.append((at, f"hurt {number}", _text(random, BURNING, "Acme")))
    for number, (at, author, text) in enumerate(sorted(said)):
        yield Mention(id=f"x:{number}", source="x", observed_at=at, author_id=author, author_name=author, text=text)


def _text(random: Random, forms: Sequence[str], brand: str) -> str:
    return random.choice(forms).format(brand=brand, thing=random.choice(THINGS), when=random.choice(WHENS))


def recorded(folder: Path, lines: Sequence[bytes] | None = None, name: str = "story.jsonl") -> Path:
    """The story as a file, or other lines."""
    file = folder / name
    file.write_bytes(b"\n".join(map(encode, story()) if lines is None else lines) + b"\n")
    return file


def ruled(folder: Path, rules: str = RULES, name: str = "rules.yaml") -> Path:
    """A rules file."""
    file = folder / name
    file.write_text(rules)
    return file
