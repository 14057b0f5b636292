# Every target sets itself up: a .venv from requirements*.txt with the tested versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
SCENARIO ?= cologne1
STEPS ?= 24000
ALGORITHM ?= dqn
VENV := .venv
BIN := $(VENV)/bin
KAGGLE := .venv-kaggle
RUN = runs/traffic_signal-$(basename $(notdir $(SCENARIO)))
SETTINGS = --set scenario=$(SCENARIO) --set algorithm=$(ALGORITHM) --set total_timesteps=$(STEPS)

.PHONY: setup drill there-and-back train test test-slow test-kaggle bench bench-forecast bench-league bench-league-speed bench-league-long lint format tree check clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-llm.txt requirements-sumo.txt requirements-dev.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "Python 3.11 or 3.12 is needed; $(PYTHON) is another. Try: make PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  -r requirements.txt -r requirements-llm.txt -r requirements-sumo.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

train: setup  ## the main job: quick test, forecast, full run, comparison, report, archive
	$(BIN)/python validation_cli.py quick-test traffic_signal $(SETTINGS) --out $(RUN)-quick
	$(BIN)/python validation_cli.py run traffic_signal $(SETTINGS) --out $(RUN)

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

test-kaggle: $(KAGGLE)/.ready  ## the exact-resume matrix, and what stands on it, with the versions of the Kaggle image
	$(KAGGLE)/bin/python -m pytest -m "slow or not slow" tests/sb3/test_matrix.py
	$(KAGGLE)/bin/python -m pytest tests/sb3 tests/notebooks

$(KAGGLE)/.ready: requirements.txt requirements-sumo.txt requirements-dev.txt constraints-kaggle.txt pyproject.toml
	test -x $(KAGGLE)/bin/python || $(PYTHON) -m venv $(KAGGLE)
	$(KAGGLE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-kaggle.txt \
	  -r requirements.txt -r requirements-sumo.txt -r requirements-dev.txt
	$(KAGGLE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

bench: setup
	$(BIN)/python -m benchmarks

bench-forecast: setup  ## seventeen workloads, each tested small and then run: about an hour, on an idle machine
	$(BIN)/python -m benchmarks.forecast

bench-league: setup  ## three seeds of Kuhn poker learnt by self-play, three ladders of ratings: about 20 minutes
	$(BIN)/python -m benchmarks.league

bench-league-speed: setup  ## moves, games and tokens per second of self-play, beside the alternatives: about 7 minutes
	$(BIN)/python -m benchmarks.league speed

bench-league-long: setup  ## three seeds of tic-tac-toe and of SimpleTak learnt by self-play: up to two hours
	$(BIN)/python -m benchmarks.league.long

lint: setup
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

format: setup
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

tree: setup  ## the file tree of docs/architecture.md
	$(BIN)/python tools/tree.py

drill: setup  ## three kills of a small run, which must end as if they had not been
	rm -rf runs/drill
	$(BIN)/python validation_cli.py drill traffic_signal --kills 3 --out runs/drill \
	  --set scenario=balanced --set total_timesteps=4000

there-and-back: setup  ## pushed, followed, brought home and continued over three sessions, with the real client
	$(BIN)/python -m pytest -m slow tests/remote/test_there_and_back.py

check: lint test drill there-and-back  ## what CI runs

clean:
	rm -rf $(VENV) $(KAGGLE) runs build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
