from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=3, help="how often tests/faults restarts a worker (3)")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """Of restarts. The option is known where tests/faults is named: `pytest tests/faults --rounds 30`."""
    return int(request.config.getoption("--rounds", default=3))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]):
    """Show a test's figures, also where it passes."""

    def show(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="", flush=True)

    return show
