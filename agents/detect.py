"""mentions.scored -> spikes, brand-stats.

One brand at a time: weigh whose words they are, count, ask every detector of the registry, tell what they
find with the evidence at hand. Detectors judge mention by mention and as event time passes, never by the bundle.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from streams import metrics
from streams.core import silence
from streams.core.detectors import REGISTRY
from streams.core.detectors.independence import Independence, Voices
from streams.core.detectors.interface import NO_PLAN, Heard, parameters_of
from streams.core.detectors.terms import TermsDetector
from streams.core.policy import plans_of
from streams.core.redeliveries import fingerprint
from streams.core.silence import Ears
from streams.core.tally import Tally
from streams.events import headers_of
from streams.keyed import KeyedDesk
from streams.outbox import Out
from streams.records import ON_SCORED, BrandStats, Finding, Mark, Origin, Removal, RulesChanged, ScoredMention, encode
from streams.tables import BRANDS
from streams.topics import BRAND_STATS, SCORED, SPIKES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from streams.app import GroundswellApp
    from streams.core.detectors.interface import Detector, Plan, Sign
    from streams.core.versions import Versions
    from streams.records import Expected
    from streams.settings import Settings

LATENCY = metrics.LATENCY.labels("counted")

DECISIVE = 1000.0
"""The prominence of the mention with which a detector speaks: whatever else is shown, it is."""

AT_ONCE = datetime.fromtimestamp(0, UTC)

_decode = msgspec.json.Decoder(ON_SCORED).decode


def register(app: GroundswellApp, *, figures: bool = True) -> None:
    """Let the worker run detection; without `figures` nothing is published on brand-stats, and the rest is the same."""
    settings, versions = app.groundswell, app.rulebook.versions
    for detector in REGISTRY:
        metrics.FINDINGS.labels(detector(settings.allowed_lateness_s).name)
    metrics.FINDINGS.labels(silence.NAME)

    def open_desk(partition: int, rows: Iterator[tuple[bytes, bytes]]) -> KeyedDesk[Brand]:
        work = Detect(settings, versions, partition, figures=figures)
        return KeyedDesk(
            work, agent="detect", lanes=settings.raw_partitions, decode=_decode, origin_of=_origin, rows=rows
        )

    app.keep_ledger(reads=SCORED, table=BRANDS, open_desk=open_desk, prepare=app.rulebook.prepare)


def _origin(value: ScoredMention | Removal | Mark | RulesChanged, _: object) -> Origin:
    return value.origin


def heard_of(mention: ScoredMention, author_key: bytes) -> Heard:
    """What detectors hear of a mention. An author nobody names is as many as there are mentions."""
    at_s, created_at = mention.observed_at.timestamp(), mention.author_created_at
    return Heard(
        at_s=at_s,
        id=mention.id,
        label=mention.sentiment.label,
        issues=mention.issues,
        author=fingerprint(mention.author_id or mention.id, author_key),
        text=mention.text or mention.title or "",
        source=mention.source,
        followers=mention.author_followers or 0,
        author_age_s=None if created_at is None else max(at_s - created_at.timestamp(), 0.0),
    )


class Brand:
    """What is kept of one brand."""

    __slots__ = ("detectors", "due", "ears", "stats", "tally", "voices")

    def __init__(self, tally: Tally, detectors: dict[str, Any], voices: Voices | None, ears: Ears) -> None:
        self.tally, self.detectors, self.voices, self.ears = tally, detectors, voices, ears
        self.stats: BrandStats | None = None
        """As published last, by this worker."""
        self.due: datetime | None = AT_ONCE
        """When it is to be told of time next, at the latest; see `Detect.due`."""


class Detect:
    """One keyed partition's work; see `streams.keyed.Work`."""

    def __init__(self, settings: Settings, versions: Versions, partition: int, *, figures: bool = True) -> None:
        self._versions = versions
        self._plans: Mapping[str, Plan] = {}
        self._spikes, self._stats = SPIKES.full_name(settings), BRAND_STATS.full_name(settings)
        self._partition, self._author_key, self._figures = partition, settings.author_key_bytes, figures
        made = [make(settings.allowed_lateness_s) for make in REGISTRY]
        self._detectors: dict[str, Detector[Any]] = {detector.name: detector for detector in made}
        self._independence = Independence()
        self._parameters = {
            name: parameters_of(self._independence) | parameters_of(self._detectors.get(name))
            for name in (*self._detectors, silence.NAME)
        }

    def begin(self) -> Brand:
        """Detectors start with the first mention that is counted."""
        return Brand(Tally(), {}, None, Ears())

    def apply(self, key: str, state: Brand, value: ScoredMention | Removal) -> Iterator[Out]:
        """Count a mention and ask the detectors; forget what was removed, and tell those who show it."""
        tally = state.tally
        if isinstance(value, Removal):
            tally.witness.remove(value)
            if value.brand is not None:
                yield self._out(self._spikes, key, value)
            return
        if tally.left:  # some raw partition is judged by rules that name it again
            tally.left, state.due = False, AT_ONCE
        if value.late:
            tally.late += 1
            metrics.LATE.inc()
            if value.op == "update":
                tally.witness.edit(value)  # late or not, nothing is shown as it no longer reads
            return
        tally.applied += 1
        metrics.APPLIED.inc()
        if value.ingested_at is not None:
            metrics.observe_since(LATENCY, value.ingested_at, datetime.now(UTC))
        if value.author_role == "own":
            return
        if value.op == "update":
            tally.witness.edit(value)
            return
        plan = self._plans.get(key, NO_PLAN)
        heard, detectors = heard_of(value, self._author_key), state.detectors
        state.voices = state.voices or self._independence.start(heard.at_s)
        heard = replace(heard, voice=self._independence.hear(state.voices, heard))
        state.ears.hear(heard.source, heard.at_s)
        if len(detectors) < len(self._detectors):
            self._start(state, heard.at_s)
        told = [
            (name, signs)
            for name, detector in self._detectors.items()
            if (signs := detector.heard(detectors[name], heard, plan))
        ]
        tally.add(value, heard, plan.hazards, DECISIVE if told else detectors[TermsDetector.name].prominence)
        for name, signs in told:
            yield from self._findings(key, state, name, signs)
        if told:
            self._look_ahead(state)

    def concerns(self, state: Brand, value: Removal) -> bool:
        """Whether a removal addressed to everybody takes something from this brand."""
        return state.tally.witness.concerns(value)

    def adopt(self, version: str) -> Collection[str]:
        """What detectors are asked to do from now on; brands are the keys."""
        rules = self._versions.of(version)
        self._plans = plans_of(rules)
        return {brand.id for brand in rules.brands}

    def leave(self, key: str, state: Brand, now: datetime | None) -> Iterable[Out]:  # noqa: ARG002
        """Its figures go, and all that was learned; what was counted of it stays, because it is booked."""
        if state.tally.left:
            return ()
        state.tally = Tally(applied=state.tally.applied, late=state.tally.late, left=True)
        state.detectors, state.voices, state.ears, state.stats, state.due = {}, None, Ears(), None, None
        return [Out(self._stats, self._partition, key.encode(), None)]

    def relay(self, value: Removal | RulesChanged) -> Iterable[Out]:
        """An open alert may show what no brand's samples show any more; alerts go by the rules as we do."""
        return [Out(self._spikes, self._partition, None, encode(value), headers_of(value))]

    def pass_time(self, key: str, state: Brand, now: datetime, silent: Collection[str] = ()) -> Iterator[Out]:
        """Let detectors close buckets; publish the figures once a minute."""
        now_s, plan = now.timestamp(), self._plans.get(key, NO_PLAN)
        yield from self._findings(key, state, silence.NAME, state.ears.listen(now_s, silent))
        deaf = state.ears.deaf
        for name, detector in self._detectors.items():
            if name in state.detectors:
                yield from self._findings(
                    key, state, name, detector.passed(state.detectors[name], now_s, plan, deaf=deaf)
                )
        if state.tally.due_s() <= now_s:
            expected = tuple(self._expected(state, now_s)) if self._figures else ()
            state.stats = state.tally.stats(key, now_s, self._learning_until_s(state), expected)
            if self._figures:
                yield self._out(self._stats, key, state.stats)
        self._look_ahead(state)

    def due(self, state: Brand) -> datetime | None:
        """The earliest of the figures' next minute and what detectors wait for; None: it was taken out of the rules."""
        return state.due

    def time_of(self, value: ScoredMention | Removal | Mark) -> datetime | None:
        """A mention says how far its raw partition has come as well as a mark does."""
        if isinstance(value, Mark):
            return value.time
        return value.observed_at if isinstance(value, ScoredMention) and not value.late else None

    def pass_on(self, mark: Mark) -> Iterable[Out]:
        """Tell the alerts agent how far time has come."""
        return [Out(self._spikes, self._partition, None, encode(mark), headers_of(mark))]

    def dump(self, state: Brand) -> bytes:
        """Return the tally, each detector's state by name, and what independence and the ears remember."""
        detectors = {name: msgspec.msgpack.encode(one) for name, one in state.detectors.items()}
        return msgspec.msgpack.encode((state.tally, detectors, state.voices, state.ears))

    def load(self, row: bytes) -> Brand:
        """A detector that is no longer registered is forgotten; a new one starts with the next mention."""
        tally, detectors, voices, ears = msgspec.msgpack.decode(
            row, type=tuple[Tally, dict[str, bytes], Voices | None, Ears]
        )
        states = {
            name: msgspec.msgpack.decode(one, type=self._detectors[name].state_type)
            for name, one in detectors.items()
            if name in self._detectors
        }
        brand = Brand(tally, states, voices, ears)
        self._look_ahead(brand)
        return brand

    def _start(self, state: Brand, now_s: float) -> None:
        for name, detector in self._detectors.items():
            if name not in state.detectors:
                state.detectors[name] = detector.start(now_s)
        self._look_ahead(state)

    def _look_ahead(self, state: Brand) -> None:
        """Work out when time matters next. A mention that no detector speaks of never brings that nearer."""
        waiting = [self._detectors[name].due_s(one) for name, one in state.detectors.items()]
        due_s = min((state.tally.due_s(), *waiting))
        state.due = None if state.tally.left else datetime.fromtimestamp(due_s, UTC)

    def _findings(self, brand: str, state: Brand, detector: str, signs: Iterable[Sign]) -> Iterator[Out]:
        witness = state.tally.witness
        asked, parameters = self._detectors.get(detector), self._parameters[detector]
        learned_s, words = parameters.get("baseline_s"), state.detectors.get(TermsDetector.name)
        for sign in signs:
            prominent = words.prominent(sign.at_s) if words and not sign.terms else ()
            metrics.FINDINGS.labels(detector).inc()
            finding = Finding(
                brand=brand,
                detector=detector,
                series=sign.series,
                episode=datetime.fromtimestamp(sign.episode_s, UTC),
                step=sign.step,
                state=sign.state,
                at=datetime.fromtimestamp(sign.at_s, UTC),
                evidence=state.tally.evidence(sign, int(learned_s) if learned_s is not None else None, prominent),
                detector_version=asked.version if asked else silence.VERSION,
                nature=sign.nature,
                mentions=sign.mentions,
                terms=tuple(one.term for one in sign.terms),
                issues=witness.about(sign),
                rules_version=witness.rules_version,
                parameters=parameters,
            )
            yield self._out(self._spikes, brand, finding)

    def _expected(self, state: Brand, now_s: float) -> Iterator[Expected]:
        for name, kept in state.detectors.items():
            yield from self._detectors[name].expects(kept, now_s)

    def _learning_until_s(self, state: Brand) -> float:
        return max((self._detectors[name].learning_until_s(one) for name, one in state.detectors.items()), default=0.0)

    def _out(self, topic: str, brand: str, record: Finding | Removal | BrandStats) -> Out:
        return Out(topic, self._partition, brand.encode(), encode(record), headers_of(record))
