# Each target makes the environment that it needs in $(VENV), and renews it when its requirements have changed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS ?= constraints.txt
PYTEST ?= $(BIN)/python -m pytest
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help check test slow lint types coverage mutants mutation torture shuffle bench scale figures docs lowest clean

help:  ## print these targets
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3.12] [VENV=.venv]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-10s%s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

check: $(VENV)/.installed-core  ## verify every theorem; ARGS go to `linreg-mirror check`
	$(BIN)/linreg-mirror check $(ARGS)

test: $(VENV)/.installed-test  ## run the tests, except the slow ones, in a process for each core; ARGS go to pytest
	OMP_NUM_THREADS=1 $(PYTEST) -n auto $(ARGS)

slow: $(VENV)/.installed-release  ## run the slow tests
	$(PYTEST) -m slow $(ARGS)

lint: $(VENV)/.installed-test  ## check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.installed-test  ## check types
	$(BIN)/pyright --pythonpath $(BIN)/python

# The core is all but two folders, so that a new one belongs to it; that nothing is selected is an error to coverage.
coverage: $(VENV)/.installed-test  ## run the tests and list what they miss; core and sketching must reach 90 % each
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n 2 $(ARGS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report
	$(BIN)/python -m coverage report --fail-under=90 --include='linreg_mirror/**' --omit='linreg_mirror/networks/**,linreg_mirror/cli/**'
	$(BIN)/python -m coverage report --fail-under=90 --include='sketching/**'

mutants: $(VENV)/.installed-test  ## put wrong formulas in place of right ones; each must be caught
	$(BIN)/python -m tools.mutants $(ARGS)

torture: $(VENV)/.installed-test  ## kill commands, fill disks, damage files, feed hostile arrays; ARGS: --rounds 10
	LINREG_MIRROR_HOSTILE_EXAMPLES=100 $(PYTEST) -q -n 2 tests/product/test_hostile.py tests/sketching/test_hostile.py tests/networks/test_hostile.py
	$(BIN)/python -m tools.torture $(ARGS)

shuffle: $(VENV)/.installed-test  ## run the tests in random order, in two processes; ARGS: --random-order-seed=7
	$(PYTEST) -n 2 --random-order $(ARGS)

mutation: $(VENV)/.installed-mutation  ## change operators and constants; tests must notice 90 %; ARGS=--all for every change
	$(BIN)/python -m tools.mutation $(ARGS)

bench: $(VENV)/.installed-test  ## measure against peers; ARGS go to `python -m benchmarks`
	$(BIN)/python -m benchmarks $(ARGS)

scale: $(VENV)/.installed-test  ## measure throughput on 10,000 instances, some twelve minutes on two cores; ARGS go to the benchmark
	$(BIN)/python -m benchmarks.scale $(ARGS)

figures: $(VENV)/.installed-test  ## draw the figures into results/figures; ARGS go to `python -m figures`
	$(BIN)/python -m figures $(or $(ARGS),all)

docs: $(VENV)/.installed-docs  ## build the documentation into docs/_build/html; ARGS go to sphinx-build
	$(BIN)/python -m sphinx -W --keep-going -q $(ARGS) docs docs/_build/html
	@echo 'docs/_build/html/index.html'

lowest:  ## run the tests with the oldest versions that setup.cfg allows (Python 3.11 or 3.12)
	$(MAKE) test VENV=$(VENV)-lowest CONSTRAINTS=constraints-lowest.txt

clean:  ## remove environments, builds and caches; results/ stays
	rm -rf $(VENV) $(VENV)-lowest build dist docs/_build docs/generated *.egg-info .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint $(CONSTRAINTS)

$(VENV)/.installed-core: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/.installed-core

$(VENV)/.installed-docs: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable '.[docs]'
	@touch $@ $(VENV)/.installed-core

$(VENV)/.installed-mutation: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable '.[mutation]'
	@touch $@ $(VENV)/.installed-core $(VENV)/.installed-test

$(VENV)/.installed-release: setup.cfg pyproject.toml $(CONSTRAINTS) | $(BIN)/pip
	$(INSTALL) --editable '.[test,release]'
	@touch $@ $(VENV)/.installed-core $(VENV)/.installed-test

# pip comes last into a new environment, so that an unfinished environment is made again.
$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || { \
	    echo 'error: no $(PYTHON) here: install Python 3.11 or newer, or name yours: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "error: Python 3.11 or newer is needed, but $(PYTHON) is $$($(PYTHON) --version 2>&1):" \
	        'install a newer one, or name yours: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo 'error: $(PYTHON) cannot make environments, its venv or ensurepip module is missing:' \
	        'apt install python3-venv (Debian, Ubuntu), or name another Python: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
