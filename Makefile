# Everything a person types. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-faults soak lint check bench bench-sentiment bench-detection topology contracts lock clean

MINUTES ?= 30

help: ## list every target in a line
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv with everything in it; does nothing when it is up to date

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Groundswell needs Python 3.11 or newer as $(PYTHON); name another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: setup ## listen, detect and alert, on a Kafka of its own: [FOR=300s] [SOURCE=bluesky] [INPUT=file] [MAP=mapping] [RULES=file] [KAFKA_BOOTSTRAP=host:port]
	@$(BIN)/groundswell up $(if $(FOR),--for '$(FOR)') $(if $(SOURCE),--source '$(SOURCE)') $(if $(INPUT),--input '$(INPUT)') \
		$(if $(MAP),--map '$(MAP)') $(if $(RULES),--rules '$(RULES)')

test: setup ## every test but the long ones; those marked kafka start a real broker (Java 17 and Maven)
	$(BIN)/python -m pytest

test-faults: setup ## every fault that can be injected here, against an oracle: up to half an hour
	$(BIN)/python -m pytest tests/faults -m "" --rounds 30

soak: setup ## kill workers and the broker at random under a steady load: [MINUTES=30]
	@$(BIN)/python -m tests.faults.soak --minutes '$(MINUTES)'

lint: setup ## lint, format, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## lint, and the tests that need no broker: two minutes
	$(BIN)/python -m pytest -m "not kafka"

bench: setup ## measure throughput, latency and detection against their bars
	$(BIN)/python -m tests.bench

bench-sentiment: setup ## measure sentiment against its bars, on labelled posts: [BENCH_DATA=folder]
	@$(BIN)/python -m tests.bench.sentiment

bench-detection: setup ## measure detection against its bars, beside two usual detectors: [BENCH_DATA=folder] [SEEDS=401,402]
	@$(BIN)/python -m tests.bench.detection $(if $(SEEDS),--seeds '$(SEEDS)')

topology: setup ## print every topic: key, value, written by, read by
	@$(BIN)/groundswell topology

contracts: setup ## write deploy/contracts anew: JSON Schemas and the AsyncAPI document, from the code
	@$(BIN)/python -m streams.contracts

# setuptools builds the editable install, which has no isolated build environment to fetch it into.
lock: ## pin all dependencies anew, with hashes (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv"; exit 1; }
	echo 'setuptools>=77' | uv pip compile --quiet --universal --python-version 3.11 --extra dev --upgrade \
		--generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml - -o requirements.lock

clean: ## remove what the other targets made, except your data (.groundswell)
	rm -rf $(VENV) build *.egg-info deploy/kafka/libs deploy/kafka/libs.tmp tests/contracts/node_modules \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
