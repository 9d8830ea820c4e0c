# What can be done here: make demo | test | lint | compiled | faults | bench | audit | lock | clean
# The environment in .venv is made when first needed, from requirements.lock, by a Python from 3.11 (make PYTHON=...).

.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
READY := .venv/.ready

# Prefect must neither report home nor find a server of this machine's user when we only mean to test.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export PYTHON
unexport PREFECT_API_URL
unexport PREFECT_API_AUTH_STRING
unexport PREFECT_PROFILES_PATH
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV
# Compiled modules are kept: without them every one of many short processes compiles anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint compiled faults bench bench-speed bench-luck audit lock clean environment

help:
	@sed -n '1,2s/^# //p' Makefile

# The stamp holds the folder it was made in: a moved or copied .venv does not work and is made anew.
ifneq ($(shell $(BIN)/python -c "" 2>/dev/null && cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

$(READY): requirements.lock pyproject.toml .ci/make-venv
	@./.ci/make-venv

environment: $(READY)

demo: $(READY)
	@$(BIN)/brain rehearse --market planted-edge --days 14 --seed 7 --out reports/demo

# On every core, a file of tests on one of them: what its tests share is made once.
test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist loadfile $(PYTEST_ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# The modules a backtest spends its time in, as machine code, proven against the sources: twice the speed of a backtest.
compiled: $(READY)
	$(BIN)/python -m compiled

# In sections, the core of order handling first: make faults SECTIONS="core books" runs these alone.
faults: $(READY)
	$(BIN)/python -m tests.faults.run $(SECTIONS)

# Two halves, each a target of its own: how fast a backtest is, and what the search and the gate make of luck.
bench: bench-speed $(if $(strip $(BENCH_ARGS)),,bench-luck)

# The compiled rows are there where there is a C compiler; without one they are missing, which is said.
bench-speed: $(READY)
	@$(BIN)/python -m compiled || echo "the compiled rows are missing" >&2
	$(BIN)/python benchmarks/bench_backtest.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/bench_backtest.py --averages 60,240 --live-steps 0 $(BENCH_ARGS)

bench-luck: $(READY)
	$(BIN)/python benchmarks/bench_search.py $(SEARCH_ARGS)
	$(BIN)/brain null-test --fresh --out reports/bench-null-test.jsonl $(or $(NULL_ARGS),--months 20)

# Whether what is installed is what the lock names, whole; AUDIT_ARGS="--advisories FOLDER" compares known vulnerabilities, too.
audit: $(READY)
	$(BIN)/python -m deployments.audit $(AUDIT_ARGS)

# Hashes for every platform and Python 3.11 upwards, without addresses, so that any package index will do.
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv, which resolves for all platforms at once" >&2; exit 1; }
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-annotate --no-header --no-strip-extras --no-emit-index-url pyproject.toml --output-file requirements.lock

# Only what can be made again: never data/, reports/ or strategy/.
clean:
	rm -rf .venv .compiled .compiled-* build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find shell compiled tasks flows deployments strategy tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
