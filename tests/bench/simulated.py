"""The simulated worlds, heard as a worker hears them: mentions -> intake -> detect -> alerts, in this process.

For whoever works on a detector:

    cases = [case_of(Job(seed=1, hard=False, brands=4, weeks=1), n, cache=Path("/tmp/cache")) for n in range(4)]
    from tests.bench.verdicts import judge
    judge(case, play(case).pages)              # the whole path, every registered detector
    judge(case, try_out(case, MyDetector()))   # one detector alone: its first "trouble" sign is the page

`python -m tests.bench.detection --seeds 1,2 --cache /tmp/cache` prints the table.

Intake's work (parsing, rules, sentiment) is remembered in the cache's folder; it is done anew when the
simulator or anything that scores has changed.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

import streams.core
from agents import simulator
from agents.detect import heard_of
from agents.rehearsal import Rehearsal
from agents.simulator import World
from agents.simulator.events import Event  # noqa: TC001  a field's type
from streams.core.detectors.independence import Independence
from streams.core.detectors.interface import NO_PLAN, Heard
from streams.core.intake import Intake, Policy, RawRecord, ToBrand
from streams.core.rules import Rules, load_rules
from streams.core.sentiment import Scorer
from streams.core.versions import Versions
from streams.outbox import Out
from streams.records import Alert, Origin, RulesChanged, ScoredMention, encode
from streams.settings import load_settings
from streams.topics import ALERTS, SCORED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.core.detectors.interface import Detector, Plan
    from streams.settings import Settings
    from streams.topics import Topic

BATCH = 500
SCORING = ("expression.py", "evaluation.py", "matching.py", "sentiment.py", "service.py", "servicewords.py", "vader.py")
INTAKE = Policy(timedelta(minutes=15), timedelta(minutes=5), 0.5, 1000, 100_000)
_alert = msgspec.json.Decoder(Alert).decode


class Job(NamedTuple):
    """One world."""

    seed: int
    hard: bool = False
    brands: int = 10
    weeks: int = 1

    def world(self) -> World:
        """The world, untold."""
        return World(seed=self.seed, brands=self.brands, weeks=self.weeks, hard=self.hard)


class Case(msgspec.Struct):
    """One brand of a world, as intake tells of it, and the truth."""

    brand: str
    per_hour: float
    weeks: int
    rules: str
    mentions: list[ScoredMention]
    events: list[Event]


class Page(NamedTuple):
    """Somebody is woken up: when, and by which detectors' series."""

    at: datetime
    by: tuple[str, ...]


class Played(NamedTuple):
    """What came of a case. `us` is CPU time a mention of detect and alerts together, `row_bytes` the brand's largest row."""

    pages: list[Page]
    tickets: list[Page]
    us: float
    row_bytes: int


# -- mentions -> intake ------------------------------------------------------------------------------


def case_of(job: Job, number: int, *, cache: Path | None = None) -> Case:
    """Tell one brand's life and let intake hear it; or remember how that went."""
    path = (
        cache / f"{job.seed}-{'hard' if job.hard else 'easy'}-{job.brands}x{job.weeks}-{number}-{_version()}"
        if cache
        else None
    )
    if path and path.exists():
        return msgspec.msgpack.decode(path.read_bytes(), type=Case)
    case = _tell(job.world(), number)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(msgspec.msgpack.encode(case))
        unfinished.replace(path)
    return case


def _tell(world: World, number: int) -> Case:
    life, rules = world.lives[number], world.rules()
    intake = Intake(0, Versions(_load(rules)), _scorer().score_many, INTAKE)
    intake.adopt(0, -1)
    mentions: list[ScoredMention] = []
    batch: list[RawRecord] = []
    for offset, said in enumerate(life.tell()):
        mention = said.mention
        batch.append(RawRecord(offset, mention.observed_at, mention.id.encode(), encode(mention)))
        if len(batch) == BATCH:
            mentions += _judge(intake, batch, life.brand)
            batch = []
    mentions += _judge(intake, batch, life.brand)
    return Case(life.brand, life.per_hour, world.weeks, rules, mentions, list(life.events()))


def _judge(intake: Intake, batch: list[RawRecord], brand: str) -> Iterator[ScoredMention]:
    for verdict in intake.judge(batch)[0]:
        if isinstance(verdict, ToBrand) and verdict.brand == brand and isinstance(verdict.record, ScoredMention):
            yield verdict.record


@cache
def _scorer() -> Scorer:
    return Scorer()


@cache
def _load(rules: str) -> Rules:
    return load_rules(rules)


@cache
def _version() -> str:
    """Changes with the simulator and with what matches and scores; detectors do not matter here."""
    core = Path(streams.core.__path__[0])
    files = [*Path(simulator.__path__[0]).glob("*.py"), *core.glob("lexicon/*.tsv"), *(core / name for name in SCORING)]
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(file.read_bytes())
    return whole.hexdigest()[:12]


# -- intake -> detect -> alerts ----------------------------------------------------------------------


class AfterIntake(Rehearsal):
    """The agents behind intake, handed what intake has told of one brand."""

    def __init__(self, settings: Settings, rules: Rules) -> None:
        super().__init__(settings, rules)
        adopted = RulesChanged(origin=Origin(0, 0, -1), version=rules.version, number=1)
        list(self._tell([Out(self._topic(SCORED), 0, None, encode(adopted))]))

    def told(self, mentions: Sequence[ScoredMention]) -> Iterator[Alert]:
        """Hear some mentions; yield what is said in alerts."""
        outs = [Out(self._topic(SCORED), 0, mention.brand.encode(), encode(mention)) for mention in mentions]
        for out in self._tell(outs):
            if out.topic == self._topic(ALERTS) and out.value is not None:
                yield _alert(out.value)

    def weigh(self) -> int:
        """The largest of the rows that detect has changed since the last time, in bytes."""
        rows = self._desks[self._topic(SCORED)][0].changed_rows()
        return max((len(content or b"") for _, content in rows), default=0)

    def _topic(self, topic: Topic) -> str:
        return topic.full_name(self.groundswell)


def play(case: Case) -> Played:
    """Let the agents hear a case. One partition holds it all, and its mentions alone move time."""
    settings = load_settings(rules=Path("unused"), raw_partitions=1, keyed_partitions=1)
    agents = AfterIntake(settings, _load(case.rules))
    published: list[Alert] = []
    largest, began_s = 0, process_time()
    for start in range(0, len(case.mentions), BATCH):
        published += agents.told(case.mentions[start : start + BATCH])
        largest = max(largest, agents.weigh())
    us = (process_time() - began_s) / max(1, len(case.mentions)) * 1e6
    return Played(*_told(published), us, largest)


def _told(published: Sequence[Alert]) -> tuple[list[Page], list[Page]]:
    """Pages and tickets. An alert pages once, when it first says that it does; until then it is a ticket."""
    told: dict[str, dict[str, Page]] = {"page": {}, "ticket": {}}
    for alert in published:
        if alert.status == "firing":
            told[alert.urgency].setdefault(alert.id, Page(alert.at, alert.detectors))
    return list(told["page"].values()), list(told["ticket"].values())


def heards(case: Case) -> list[Heard]:
    """What a detector hears of a case."""
    independence = Independence()
    voices = independence.start(0.0)
    heard = [heard_of(mention, b"") for mention in case.mentions]
    return [msgspec.structs.replace(one, voice=independence.hear(voices, one)) for one in heard]


def try_out(
    case: Case, detector: Detector[Any], heard: Sequence[Heard] | None = None, plan: Plan = NO_PLAN
) -> list[Page]:
    """One detector alone, without agents: a page is the first sign of trouble of each of its episodes."""
    pages: dict[tuple[str, int], Page] = {}
    state = None
    for mention in heards(case) if heard is None else heard:
        if state is None:
            state = detector.start(mention.at_s)
        signs = []
        while (due_s := detector.due_s(state)) <= mention.at_s:
            signs += detector.passed(state, due_s, plan)
        signs += detector.heard(state, mention, plan)
        for sign in signs:
            if sign.state == "open" and sign.nature == "trouble":
                at = datetime.fromtimestamp(sign.at_s, UTC)
                pages.setdefault((sign.series, sign.episode_s), Page(at, (f"{detector.name}/{sign.series}",)))
    return list(pages.values())
