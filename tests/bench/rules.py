"""`python -m tests.bench.rules`: what matching costs, a mention, with 10, 100 and 1,000 rules.

The whole of it: normalising, cutting into tokens, finding, evaluating, and the hits' way back to the original. Nothing
of that is shared with sentiment, which cuts its own tokens, so nothing is left out. `--against COMMIT`
measures an older state of the repository on the same rules and texts, in turns, each in a process of its own.
A benchmark, not a test: it asserts nothing about time.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tarfile
import tempfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import median
from time import thread_time

import msgspec

from streams.core.parse import parse
from streams.core.rules import load_rules
from streams.records import Mention
from tests.bench import load

MENTIONS, BUNDLE = 6000, 500
SIZES = ((2, 8), (20, 80), (200, 800))
"""Brands and issues: 10, 100 and 1,000 rules."""
SYLLABLES = "Nor Vel Tri Quo Mar Zen Hel Cor Bal Fen", "dex lia tron via nix pol sen gard wick mont zara ello ford tica"
ROOT = Path(__file__).parent.parent.parent


def names(count: int) -> list[str]:
    """So many brands' names."""
    firsts, lasts = (one.split() for one in SYLLABLES)
    return [*load.BRANDS, *(first + last for first in firsts for last in lasts), *(f"Brand{n}" for n in range(99))][
        :count
    ]


def rules_of(brands: int, issues: int, *, near: bool) -> str:
    """A rule file: brands as people write them, issues that are a thing and a trouble."""
    chance = random.Random(load.SEED)
    lines = ["ruleset: bench", "brands:"]
    for name in names(brands):
        low = name.lower()
        lines.append(
            f"  - {{id: {low}, own_accounts: ['bluesky:{name}Cares'], match: '{name} OR @{name} OR @{name}Cares', "
            f"exclude: '\"{low} street\"'}}"
        )
    lines.append("issues:")
    pairs = [(thing.split(), trouble.split()) for thing in load.THINGS.values() for trouble in load.TROUBLES.values()]
    chance.shuffle(pairs)
    words = " ".join((*load.THINGS.values(), *load.TROUBLES.values(), *load._WORDS.values())).split()
    while len(pairs) < issues:
        pairs.append((chance.sample(words, 3), chance.sample(words, 3)))
    for number, (things, troubles) in enumerate(pairs[:issues]):
        joined = "NEAR/8" if near else "AND"
        match = f"({' OR '.join(things)}) {joined} ({' OR '.join(troubles)})"
        lines.append(f"  - {{id: i{number}, match: '{match}'}}")
    return "\n".join(lines) + "\n"


def mentions_about(brands: int) -> list[Mention]:
    """The standard load's mentions, 80 % of them about one of so many brands."""
    chance, known = random.Random(load.SEED), names(brands)
    found = []
    for raw in load.standard_load(MENTIONS):
        mention = parse(raw.key, raw.value)
        assert isinstance(mention, Mention)
        text = mention.text or ""
        for name in load.BRANDS:
            if name in text:
                text = text.replace(name, chance.choice(known))
        found.append(msgspec.structs.replace(mention, text=text))
    return found


def real_mentions(file: Path, brands: int) -> list[Mention]:
    """The texts of a CSV, with a brand's name before most: real texts, spelt as people spell."""
    chance, known = random.Random(load.SEED), names(brands)
    at = datetime(2024, 6, 1, tzinfo=UTC)
    with file.open(encoding="utf-8", newline="") as opened:
        texts = [row["text"] for row in csv.DictReader(opened)][:MENTIONS]
    return [
        Mention(id=f"x:{n}", source="x", observed_at=at, text=f"{chance.choice(known)}: {text}" if n % 5 else text)
        for n, text in enumerate(texts)
    ]


def measure(texts: Path | None, *, near: bool) -> dict[str, tuple[float, float]]:
    """Microseconds a mention, and the share that matched, for each number of rules: the best of seven passes."""
    found = {}
    for brands, issues in SIZES:
        mentions = real_mentions(texts, brands) if texts else mentions_about(brands)
        rules = load_rules(rules_of(brands, issues, near=near))
        bundles = [mentions[at : at + BUNDLE] for at in range(0, len(mentions), BUNDLE)]
        matched = sum(bool(one.brands) for bundle in bundles for one in rules.match_many(bundle))
        passes = []
        for _ in range(7):
            began_s = thread_time()
            for bundle in bundles:
                rules.match_many(bundle)
            passes.append((thread_time() - began_s) / len(mentions) * 1e6)
        found[str(brands + issues)] = min(passes), matched / len(mentions)
    return found


def _run(root: Path, texts: Path | None, *, near: bool) -> dict[str, tuple[float, float]]:
    """One measurement, in a process of its own, with the modules of `root` and this file's rules and texts."""
    path = [str(root), *(one for one in sys.path if one not in ("", str(ROOT)))]
    asked = [str(texts or ""), "near" if near else "", str(ROOT / "tests" / "bench" / "rules.py")]
    code = (
        "import importlib.util, json, pathlib, sys\n"
        "spec = importlib.util.spec_from_file_location('measured', sys.argv[3])\n"
        "bench = importlib.util.module_from_spec(spec); spec.loader.exec_module(bench)\n"
        "print(json.dumps(bench.measure(pathlib.Path(sys.argv[1]) if sys.argv[1] else None, near=bool(sys.argv[2]))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *asked],
        cwd=root,
        env={"PYTHONPATH": ":".join(path)},
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    """Measure in turns, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rules", description=__doc__)
    parser.add_argument("--against", metavar="COMMIT", help="an older state of this repository, side by side")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--texts", type=Path, help="a CSV with a column `text`, instead of the standard load")
    parser.add_argument("--near", action="store_true", help="issues by NEAR instead of AND, which older states refuse")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="groundswell-rules-") as folder:
        roots = {"now": ROOT}
        if given.against:
            packed = subprocess.run(["git", "archive", given.against], cwd=ROOT, capture_output=True, check=True).stdout
            with tarfile.open(fileobj=BytesIO(packed)) as archive:
                archive.extractall(folder, filter="data")
            roots[given.against] = Path(folder)
        runs: dict[str, list[dict[str, tuple[float, float]]]] = {name: [] for name in roots}
        for _ in range(given.rounds):
            for name, root in roots.items():
                runs[name].append(_run(root, given.texts, near=given.near))
    print(f"us a mention, median (min-max) of {given.rounds} rounds in turns; each the best of 7 passes over the load")
    for brands, issues in SIZES:
        rules = str(brands + issues)
        for name, measured in runs.items():
            costs, shares = zip(*(one[rules] for one in measured), strict=True)
            spread = f"{median(costs):6.2f} ({min(costs):.2f}-{max(costs):.2f})"
            print(f"{rules:>5} rules  {name:>10}  {spread}  {shares[0]:.0%} matched")


if __name__ == "__main__":
    main()
