from __future__ import annotations

import asyncio
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contracts.run import happen

if TYPE_CHECKING:
    from agents.cli.localkafka import LocalKafka
    from tests.contracts.run import Run

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def run(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All that a contract speaks of has happened, once for all tests."""
    return asyncio.run(happen(kafka, f"t{uuid.uuid4().hex[:8]}.", tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="session")
def judge() -> Path:
    """The AsyncAPI parser, installed as its lock file says; what packages want to run at their installation does not run."""
    if shutil.which("npm") is None:
        pytest.skip("the AsyncAPI parser needs Node.js: apt-get install nodejs npm")
    installed = HERE / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < (HERE / "package-lock.json").stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=HERE, check=True)
    return HERE / "judge.mjs"
