# Every target sets itself up: a .venv from requirements*.txt with the tested versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
SCENARIO ?= cologne1
STEPS ?= 24000
ALGORITHM ?= dqn
VENV := .venv
BIN := $(VENV)/bin
RUN = runs/traffic_signal-$(basename $(notdir $(SCENARIO)))
SETTINGS = --set scenario=$(SCENARIO) --set algorithm=$(ALGORITHM) --set total_timesteps=$(STEPS)

.PHONY: setup train test test-slow bench lint format tree check clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-sumo.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "Python 3.11 or 3.12 is needed; $(PYTHON) is another. Try: make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -r requirements.txt -r requirements-sumo.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

train: setup  ## the main job: quick test, forecast, full run, comparison, report, archive
	$(BIN)/python validation_cli.py quick-test traffic_signal $(SETTINGS) --out $(RUN)-quick
	$(BIN)/python validation_cli.py run traffic_signal $(SETTINGS) --out $(RUN)

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

bench: setup
	$(BIN)/python -m benchmarks

lint: setup
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

format: setup
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

tree: setup  ## the file tree of docs/architecture.md
	$(BIN)/python tools/tree.py

check: lint test  ## what CI runs

clean:
	rm -rf $(VENV) runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
