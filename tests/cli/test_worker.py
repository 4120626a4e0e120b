"""What a worker asks for before it begins."""

from __future__ import annotations

import os

import pytest

from agents.cli.worker import claim
from streams.settings import SettingsError


def test_a_data_folder_belongs_to_one_worker_at_a_time(tmp_path):
    lock = claim(tmp_path / "tables")

    with pytest.raises(SettingsError, match="give each a data folder of its own"):
        claim(tmp_path / "tables")

    os.close(lock)
    os.close(claim(tmp_path / "tables"))
