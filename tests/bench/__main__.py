"""`make bench`: how many mentions a second, and at what CPU time, beside two other ways to do the same job; then latency.

All contenders read the same records from the same real broker, one after the other and again, each in
a process of its own with one worker. Latency is `tests.bench.latency`'s. A benchmark, not a test: it asserts nothing
about time.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from aiokafka.partitioner import murmur2
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.cli.localkafka import LocalKafka
from tests.bench import latency
from tests.bench.contenders import CONTENDERS
from tests.bench.job import RAW_PARTITIONS, Job, Measured
from tests.bench.load import rules_yaml, standard_load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.load import Raw

RUN_LIMIT_S = 900
LATENCY = "latency"
LIBRARIES = ("faust-streaming", "aiokafka", "msgspec", "confluent-kafka", "vaderSentiment")


class Bench:
    """One broker, one load, any number of runs."""

    def __init__(self, bootstrap: str, folder: Path, load: Sequence[Raw]) -> None:
        self._bootstrap, self._folder, self._load = bootstrap, folder, load
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._shared = f"bench-{uuid.uuid4().hex[:6]}."
        self._rules = folder / "rules.yaml"
        self._rules.write_text(rules_yaml(), encoding="utf-8")
        self._fill(self._shared)
        self._runs = 0

    def run(self, contender: str, *, profile: bool = False) -> Measured:
        """Let one contender read the whole load."""
        self._runs += 1
        name = f"{contender}-{self._runs}"
        prefix = self._shared
        if contender == "worker":  # its agents read what intake wrote, so nobody else may write there
            prefix = f"{self._shared}{name}."
            self._fill(prefix)
        else:
            self._create(f"{prefix}{name}.scored")
        job = Job(
            contender=contender,
            bootstrap=self._bootstrap,
            prefix=prefix,
            app_id=name,
            records=len(self._load),
            rules=str(self._rules),
            data_dir=str(self._folder / name),
            result=str(self._folder / f"{name}.json"),
            profile=profile,
        )
        log_file = self._folder / f"{name}.log"
        with log_file.open("wb") as log:
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.contenders", msgspec.json.encode(job).decode()],
                stdout=subprocess.DEVNULL,
                stderr=log,
                timeout=RUN_LIMIT_S,
                env={
                    name: value for name, value in os.environ.items() if not name.startswith(("GROUNDSWELL_", "KAFKA_"))
                },
                check=False,
            )
        said = log_file.read_text(errors="replace")
        if done.returncode or not Path(job.result).exists():
            raise SystemExit(
                f"{name} ended with {done.returncode} and no result. The end of what it said:\n{said[-3000:]}"
            )
        if profile:
            print(said)
        return msgspec.json.decode(Path(job.result).read_bytes(), type=Measured)

    def _create(self, topic: str) -> None:
        for created in self._admin.create_topics([NewTopic(topic, RAW_PARTITIONS, 1)]).values():
            created.result()

    def _fill(self, prefix: str) -> None:
        topic = f"{prefix}mentions.raw"
        self._create(topic)
        producer = Producer({"bootstrap.servers": self._bootstrap, "acks": "all", "linger.ms": 50})
        for raw in self._load:
            partition = (murmur2(raw.key) & 0x7FFFFFFF) % RAW_PARTITIONS
            while True:
                try:
                    producer.produce(topic, raw.value, raw.key, partition)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush()


def _arguments() -> argparse.Namespace:
    told = "\n".join(f"  {name:8} {contender.says}" for name, contender in CONTENDERS.items())
    measured = [*CONTENDERS, LATENCY]
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        epilog=f"contenders:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--records", type=int, default=25_000, help="raw records in the load (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--only", default=",".join(measured), help="of these, comma-separated (default: %(default)s)")
    parser.add_argument(
        "--profile", action="store_true", help="one run of intake under cProfile: its 25 costliest functions"
    )
    parser.add_argument("--bootstrap", help="a broker that already runs, host:port (default: start one)")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := set(given.only).difference(measured):
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}; known are {', '.join(measured)}")
    if given.records < 1 or given.rounds < 1:
        parser.error("--records and --rounds must be at least 1")
    return given


def main() -> None:
    """Start a broker, run the rounds, print the table."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="groundswell-bench-", ignore_cleanup_errors=True) as folder:
        if given.bootstrap:
            _measure_all(given, given.bootstrap, Path(folder))
            return
        kafka = LocalKafka(Path(folder) / "kafka")
        _say("starting Kafka")
        kafka.start()
        try:
            asyncio.run(kafka.wait_ready())
            _measure_all(given, kafka.bootstrap, Path(folder))
        finally:
            kafka.stop()


def _measure_all(given: argparse.Namespace, bootstrap: str, folder: Path) -> None:
    if contenders := [name for name in given.only if name != LATENCY]:
        _measure(given, contenders, bootstrap, folder)
    if LATENCY in given.only and not given.profile:
        _say("latency: a worker with all agents beside the standard load")
        asyncio.run(latency.measure(bootstrap, folder))


def _measure(given: argparse.Namespace, contenders: Sequence[str], bootstrap: str, folder: Path) -> None:
    _say(f"writing {given.records:,} records to {RAW_PARTITIONS} partitions")
    load = list(standard_load(given.records))
    bench = Bench(bootstrap, folder, load)
    if given.profile:
        _say("intake under cProfile, which slows it down; threads other than the main one are not in it")
        _told("intake", bench.run("intake", profile=True))
        return
    results: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(given.rounds):
        for name, measured in results.items():
            _say(f"round {number + 1} of {given.rounds}: {name}")
            measured.append(bench.run(name))
            _told(name, measured[-1])
    _print_table(results, sum(len(raw.value) for raw in load) / len(load))


def _print_table(results: dict[str, list[Measured]], record_bytes: float) -> None:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    records = max(run.records for runs in results.values() for run in runs)
    rounds = len(next(iter(results.values())))
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {libraries}")
    print(f"{platform.machine()}, {os.cpu_count()} cores, broker on the same machine")
    print(
        f"{records:,} records of {record_bytes:.0f} bytes, {RAW_PARTITIONS} partitions, {rounds} rounds: median (min-max)"
    )
    print("CPU time is scaled, by a calibration loop, to the quietest run; a rate is what the machine allowed\n")
    base = next(iter(results))
    base_s = median(run.per_second for run in results[base])
    pace_s = min(run.pace_s for runs in results.values() for run in runs)
    base_us = median(run.cpu_us(pace_s) for run in results[base])
    print(f"{'':49} {'mentions/s':>22} {'CPU us/mention':>20}   {base} is so many times ...")
    for name, runs in results.items():
        rate, cpu = [run.per_second for run in runs], [run.cpu_us(pace_s) for run in runs]
        print(
            f"{CONTENDERS[name].says:49} {_spread(rate):>22} {_spread(cpu):>20}   "
            f"{base_s / median(rate):.2f}x as fast, {median(cpu) / base_us:.2f}x as cheap"
        )
        if (short := min(run.records for run in runs)) < records:
            print(f"  ... of which it handled only {short:,} in one run: it skips records as it starts")


def _spread(values: list[float]) -> str:
    return f"{median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def _told(name: str, run: Measured) -> None:
    cpu_us = run.cpu_us(run.pace_s)
    _say(
        f"  {name}: {run.per_second:,.0f}/s, {cpu_us:.0f} us CPU (pace {run.pace_s * 1000:.0f} ms), "
        f"start-up {run.startup_cpu_s:.1f} s CPU"
    )


def _clock() -> Callable[[str], None]:
    began_s = perf_counter()
    return lambda text: print(f"[{perf_counter() - began_s:5.0f} s] {text}", flush=True)


_say = _clock()

if __name__ == "__main__":
    main()
