"""The documents stay true: what they name exists, and what exists is named.

Where a table row is wanted, a failure shows the row to paste.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from msgspec import Struct
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr

from agents.cli import COMMANDS, main
from agents.sources import SOURCES
from agents.sources.options import Secret, variable_of
from agents.sources.replay import Replay
from streams import metrics, records
from streams.core.detectors.interface import Heard
from streams.core.parse import parse
from streams.core.rules import load_rules
from streams.settings import Settings
from streams.topics import TOPOLOGY

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
README, CHANGELOG = ROOT / "README.md", ROOT / "CHANGELOG.md"
OPERATIONS = ROOT / "deploy" / "docs" / "operations.md"
GUIDE = ROOT / "deploy" / "contracts" / "README.md"
DOCUMENTS = [README, CHANGELOG, GUIDE, *sorted((ROOT / "deploy" / "docs").glob("*.md"))]

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(?:[^\]\\]|\\.)*\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return [content for named, content in FENCE.findall(text_of(path)) if named == language]


def code_of(path: Path) -> str:
    """All that stands as code, in blocks and in lines: commands there are meant to be typed."""
    text = text_of(path)
    return "\n".join(
        [*(content for _, content in FENCE.findall(text)), *re.findall(r"`([^`\n]+)`", FENCE.sub("", text))]
    )


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def setting_rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        match field.default:
            case None | "":
                default = "none"
            case tuple():
                default = f"`{json.dumps(field.default)}`"
            case SecretStr():
                raise AssertionError(f"{name}: a secret has no default")
            case _:
                default = f"`{field.default}`"
        yield f"| `GROUNDSWELL_{name.upper()}` | {default} | {field.description} |"


def topic_rows() -> Iterator[str]:
    for topic in TOPOLOGY:
        value = topic.value.replace("|", ", ")
        yield f"| `{topic.name}` | {topic.key} | {value} | {topic.written_by} | {', '.join(topic.read_by)} |"


def command_rows() -> Iterator[str]:
    for name, command in COMMANDS.items():
        yield f"| `groundswell {name}` | {command.help} |"


def exported() -> dict[str, MetricWrapperBase]:
    """Every metric under the name that Prometheus sees."""
    ours = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    return {one._name + ("_total" if one._type == "counter" else ""): one for one in ours}


def metric_rows() -> Iterator[str]:
    for name, metric in exported().items():
        labels = ", ".join(metric._labelnames) or "-"
        yield f"| `{name}` | {labels} | {metric._documentation} |"


def wire_records() -> list[type[Struct]]:
    return [
        one for one in vars(records).values() if isinstance(one, type) and issubclass(one, Struct) and one is not Struct
    ]


def secret_options() -> Iterator[tuple[str, str]]:
    for source, kind in SOURCES.items():
        for option, meaning in kind.options.items():
            if isinstance(meaning, Secret):
                yield source, option


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command under its whole name, groups included."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, f"{path} {name}")


# -- what exists is named ----------------------------------------------------------------------------


@pytest.mark.parametrize("row", list(setting_rows()))
def test_every_setting_is_in_the_readme_with_its_default_and_meaning(row):
    assert row in text_of(README).splitlines()


@pytest.mark.parametrize("row", list(topic_rows()))
def test_every_topic_is_in_the_readme(row):
    assert row in text_of(README).splitlines()


@pytest.mark.parametrize("row", list(command_rows()))
def test_every_command_is_in_the_readme(row):
    assert row in text_of(README).splitlines()


@pytest.mark.parametrize("row", list(metric_rows()))
def test_every_metric_is_in_the_operators_page_with_its_labels(row):
    assert row in text_of(OPERATIONS).splitlines()


@pytest.mark.parametrize("name", [topic.name for topic in TOPOLOGY])
def test_the_changelog_names_every_topic(name):
    assert f"`{name}`" in text_of(CHANGELOG)


@pytest.mark.parametrize("name", [f"GROUNDSWELL_{name.upper()}" for name in Settings.model_fields])
def test_the_changelog_names_every_setting(name):
    assert f"`{name}`" in text_of(CHANGELOG)


@pytest.mark.parametrize("record", wire_records(), ids=lambda record: record.__name__)
def test_the_changelog_names_every_field_of_every_record(record):
    [line] = [line for line in text_of(CHANGELOG).splitlines() if line.startswith(f"- `{record.__name__}`:")]
    assert set(record.__struct_encode_fields__) == set(re.findall(r"`(\w+)`", line.partition(":")[2]))


@pytest.mark.parametrize("name", list(exported()))
def test_the_changelog_names_every_metric_and_its_labels(name):
    labels = exported()[name]._labelnames
    shown = f"{name}{{{', '.join(labels)}}}" if labels else name
    assert f"`{shown}`" in text_of(CHANGELOG)


@pytest.mark.parametrize(("name", "command"), [(n, c) for n, c in leaves(main, "groundswell") if c.params])
def test_the_changelog_names_every_flag_of_every_command(name, command):
    [line] = [line for line in text_of(CHANGELOG).splitlines() if line.startswith(f"- `{name}`:")]
    flags = {max(param.opts, key=len) for param in command.params if isinstance(param, click.Option)}
    assert flags == set(re.findall(r"`(--[\w-]+)", line))


# -- what is named exists ----------------------------------------------------------------------------


@every_document
def test_every_make_target_that_is_named_exists(document):
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code_of(document))) <= targets


@every_document
def test_every_command_that_is_named_exists(document):
    assert set(re.findall(r"\bgroundswell ([a-z][a-z-]*)", code_of(document))) <= set(COMMANDS)


@every_document
def test_every_setting_that_is_named_exists(document):
    known = {f"GROUNDSWELL_{name.upper()}" for name in Settings.model_fields}
    known |= {variable_of(source, option) for source, option in secret_options()}
    assert set(re.findall(r"GROUNDSWELL_[A-Z_]+", text_of(document))) <= known


@every_document
def test_every_metric_that_is_named_exists(document):
    known = set(exported())
    known |= {
        f"{name}_{part}"
        for name, one in exported().items()
        if one._type == "histogram"
        for part in ("bucket", "sum", "count")
    }
    assert set(re.findall(r"\bgroundswell_[a-z_]+", text_of(document))) <= known


@every_document
def test_no_link_leads_nowhere(document):
    for target in LINK.findall(FENCE.sub("", text_of(document))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name.replace("\\", "")).resolve() if name else document
        assert path.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors_of(path), f"{target}: no such heading"


def test_every_entry_of_the_runbook_says_what_it_means_where_to_look_and_what_to_do():
    runbook = text_of(OPERATIONS).partition("\n## Runbook\n")[2]
    entries = re.split(r"^### ", runbook, flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        said = re.findall(r"^- \*(\w+):\*", entry, re.MULTILINE)
        assert said == ["Means", "Look", "Fix"], entry.splitlines()[0]


# -- the examples work -------------------------------------------------------------------------------


async def test_the_readmes_posts_and_rules_give_the_accounts_that_it_shows(tmp_path):
    [posts], [written] = blocks(README, "csv"), blocks(README, "yaml")
    (tmp_path / "posts.csv").write_text(posts)
    rules = load_rules(written)
    raw = [parse(said.key, said.value) async for said in Replay(tmp_path / "posts.csv", times="shifted").listen()]
    found = rules.match_many(raw)
    matched = sum(bool(one.brands) for one in found)
    excluded = sum(bool(one.excluded_by) for one in found)
    count = len(list(csv.DictReader(io.StringIO(posts))))
    shown = f"  replay: {count} = {matched} + {count - matched - excluded} + {excluded} + 0 + 0 + 0"
    assert shown in text_of(README).splitlines()


def readmes(name: str):
    """A class that the README shows how to write."""
    [code] = [code for code in blocks(README, "python") if f"class {name}" in code]
    namespace: dict[str, object] = {"__name__": __name__}
    exec(compile(code, f"README.md: {name}", "exec"), namespace)
    return namespace[name]


async def test_the_readmes_source_yields_mentions_and_goes_on_after_a_cursor(tmp_path):
    (tmp_path / "said.txt").write_text("one\ntwo\nthree\n")
    source = readmes("Lines").open({"file": str(tmp_path / "said.txt")})
    said = [record async for record in source.listen()]
    assert [parse(record.key, record.value).text for record in said] == ["one", "two", "three"]
    assert [record.key async for record in source.listen(said[0].cursor)] == [record.key for record in said[1:]]


def test_the_readmes_detector_opens_once_and_is_over_after_a_quiet_hour():
    detector = readmes("FloodDetector")(900)
    state = detector.start(0.0)
    signs = [sign for n in range(60) for sign in detector.heard(state, Heard(at_s=n, id=str(n), label="negative"))]
    signs += detector.passed(state, 3 * 3600)
    assert [(sign.state, sign.step, sign.at_s) for sign in signs] == [("open", 1, 19), ("over", 2, 7200)]
    [band] = detector.expects(state, 3 * 3600)
    assert (band.observed, band.high) == (0, 20)


def test_the_readmes_notifier_tells_the_log_the_key(caplog):
    caplog.set_level("INFO")
    asyncio.run(readmes("JsonLogNotifier")(None).deliver(None, "a1.1.jsonlog"))
    assert "a1.1.jsonlog" in caplog.text
