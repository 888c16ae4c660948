# One file for people and for CI: both commands do all the set-up that a fresh machine needs.
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# Compiling anew at each start costs a command half of its second.
unexport PYTHONDONTWRITEBYTECODE
PARALLEL := -n 4 --dist worksteal
PARALLEL_FLOWS := -n 6 --dist worksteal # they wait more than they work
SYNC := $(BIN)/uv sync --frozen --inexact --python $(BIN)/python

.PHONY: demo test traced browser lint bench torture audit
.DEFAULT_GOAL := demo

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Carillon needs Python 3.11, 3.12 or 3.13; none was found." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

.venv/.installed: $(BIN)/uv pyproject.toml uv.lock
	$(SYNC) --no-dev
	@touch $@

.venv/.installed-dev: $(BIN)/uv pyproject.toml uv.lock
	$(SYNC)
	@touch $@ .venv/.installed

# Everything embedded, no accounts: make demo, or make demo ARGS=--exit.
demo: .venv/.installed
	$(BIN)/carillon demo $(ARGS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Everything but what --thorough adds: make test ARGS=--thorough. Types are checked, and a browser is fetched, beside the
# first part: each of them leaves a core idle.
test: .venv/.installed-dev
	@$(MAKE) --no-print-directory -j 3 lint browser traced
	$(BIN)/pytest --ignore=tests/flows --part rest $(PARALLEL) $(ARGS)
	$(BIN)/pytest tests/flows $(PARALLEL_FLOWS) $(ARGS)

# Coverage is taken of engine and storage, by their tests.
traced: .venv/.installed-dev
	$(BIN)/pytest tests/engine tests/storage --part traced --cov --cov-report=term $(PARALLEL) $(ARGS)

browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
		echo "No Chromium was found and none may be installed here: the browser tests will say so."

# make bench NAME=pace runs one; without a name, each in turn. FULL=1 takes the whole sizes and times.
bench: .venv/.installed-dev
	@for name in $(or $(NAME),$(patsubst benchmarks/%.py,%,$(filter-out benchmarks/_%,$(wildcard benchmarks/*.py)))); do \
		echo "== $$name"; $(BIN)/python -m benchmarks.$$name $(if $(FULL),--full) $(ARGS) || exit 1; done

# Known holes of what uv.lock names, as api.osv.dev knows them: needs the internet, so no test does it.
audit: $(BIN)/uv
	$(BIN)/uv audit --frozen

# Kills, outages, full disks and forged webhooks while mailings go out: make torture MINUTES=10 ARGS="--seed 3".
torture: .venv/.installed-dev
	$(BIN)/python -m tests.flows.faults.torture --minutes $(or $(MINUTES),10) $(ARGS)
