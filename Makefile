# Everything runs in an environment of its own, made by the first target that needs it.
# A fresh Debian needs: git, make, python3 (3.11 or newer), python3-venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUTS := 1000000
WORLDS := 1000

.PHONY: demo test lint types format clean peers sdk fuzz bench bench-peers bench-load

demo: $(VENV)/.runtime  ## stream an answer into the terminal
	@$(BIN)/cogent demo

test: $(VENV)/.dev  ## everything: lint, types, tests on both event loops
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/pyright

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

fuzz: $(VENV)/.dev  ## damaged inputs for every reader, and whole worlds (INPUTS and WORLDS say how many)
	$(BIN)/python -m tests.fuzz --inputs $(INPUTS)
	$(BIN)/python -m tests.world --seeds 0:$(WORLDS)

peers: $(VENV)/.dev  ## against servers written by others (opt-in; PEERS names their scripts)
	$(BIN)/python -m pytest -m peers

sdk: $(VENV)-sdk/.ready  ## against the vendors' own SDKs (opt-in)
	$(VENV)-sdk/bin/python -m pytest tests/sdk -m sdk

bench: $(VENV)/.dev  ## what it costs against floors: minutes, no network (BENCH names some)
	$(BIN)/python -m benchmarks $(BENCH)

bench-peers: $(VENV)-bench/.ready  ## against other clients on the same bytes
	$(VENV)-bench/bin/python -m benchmarks peers

bench-load: $(VENV)-bench/.ready  ## many streams at once: an hour, on a quiet machine (BENCH names some)
	$(VENV)-bench/bin/python -m benchmarks $(or $(BENCH),load most_streams held unread churn)

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@touch $@

$(VENV)/.runtime: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[cli]"
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(VENV)-sdk/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-sdk
	$(VENV)-sdk/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(VENV)-sdk/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[cli]" --group sdk
	@touch $@

$(VENV)-bench/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(VENV)-bench/bin/python -m pip install --quiet --disable-pip-version-check --editable . --group bench-peers
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-sdk $(VENV)-bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
