from __future__ import annotations

import pytest

from streams.settings import SettingsError, load_settings


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_RAW_PARTITIONS", "8")

    assert load_settings().raw_partitions == 8


def test_the_command_line_comes_first(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_RAW_PARTITIONS", "8")

    assert load_settings(raw_partitions=2).raw_partitions == 2


def test_brokers_may_be_named_by_the_usual_variable(monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one:9092,two:9093")

    assert load_settings().kafka_bootstrap == "one:9092,two:9093"


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("GROUNDSWELL_RAW_PARTITIONS", "many", "valid integer"),
        ("GROUNDSWELL_KEYED_PARTITIONS", "0", "greater than or equal to 1"),
        ("GROUNDSWELL_CHECKPOINT_S", "-1", "greater than 0"),
        ("GROUNDSWELL_KAFKA_BOOTSTRAP", "localhost", "pattern"),
        ("GROUNDSWELL_TOPIC_PREFIX", "a b", "pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_and_what_was_expected(monkeypatch, variable, value, expected):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=expected) as refused:
        load_settings()

    assert str(refused.value).startswith(f"{variable} = {value!r}")


def test_all_wrong_values_are_told_at_once(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_RAW_PARTITIONS", "many")
    monkeypatch.setenv("GROUNDSWELL_REPLICATION", "none")

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert len(str(refused.value).splitlines()) == 2


def test_secrets_are_never_shown(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_WEBHOOK_SECRET", "whsec_hush")

    assert "hush" not in repr(load_settings())
