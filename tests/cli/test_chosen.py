from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.cli.chosen import Chosen

if TYPE_CHECKING:
    from pathlib import Path

BAD = "nowhere"


@pytest.fixture(autouse=True)
def nobody_names_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "GROUNDSWELL_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_word_it_is_kafkas_own_port(tmp_path: Path) -> None:
    assert Chosen(data_dir=tmp_path).settings().kafka_bootstrap == "127.0.0.1:9092"


def test_asking_for_settings_leaves_the_data_folder_alone(tmp_path: Path) -> None:
    Chosen(data_dir=tmp_path / "new").settings()
    assert list(tmp_path.iterdir()) == []


def test_the_option_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "from-env:1")
    assert Chosen(kafka="option:2", data_dir=tmp_path).settings().kafka_bootstrap == "option:2"


@pytest.mark.parametrize("variable", ["KAFKA_BOOTSTRAP", "GROUNDSWELL_KAFKA_BOOTSTRAP"])
def test_a_wrong_broker_is_refused_before_anything_is_tried(variable: str) -> None:
    result = CliRunner(env={variable: BAD}).invoke(main, ["alerts"])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: GROUNDSWELL_KAFKA_BOOTSTRAP = '{BAD}'")


def test_the_data_folders_own_broker_is_used_while_it_runs(kafka, tmp_path: Path) -> None:
    (tmp_path / "kafka").symlink_to(kafka.data_dir)
    assert Chosen(data_dir=tmp_path).settings().kafka_bootstrap == kafka.bootstrap
    assert Chosen(kafka="other:1", data_dir=tmp_path).settings().kafka_bootstrap == "other:1"
    (tmp_path / "stopped" / "kafka").mkdir(parents=True)
    assert Chosen(data_dir=tmp_path / "stopped").settings().kafka_bootstrap == "127.0.0.1:9092"


def test_a_broker_that_does_not_answer_is_named_with_the_cure(tmp_path: Path) -> None:
    for command in (["alerts"], ["dead-letters", "list"], ["simulate"], ["topics", "create"]):
        result = CliRunner().invoke(main, ["--kafka", "127.0.0.1:1", "--data-dir", str(tmp_path), *command])
        assert result.exit_code == 1
        assert result.stderr.startswith("error: no Kafka broker answers at 127.0.0.1:1")
        assert "KAFKA_BOOTSTRAP" in result.stderr
