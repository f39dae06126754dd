# Every target sets up what it needs in .venv: Python 3.11 or later and make are enough.
# ARGS goes to the program behind the target: make test ARGS="tests/core -k budget"

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV ?= .venv
ARGS ?=
TRACES ?=
SEEDS ?= 50
BIN := $(VENV)/bin
export VENV

.PHONY: help demo setup test lint types bench quality soak planted mutants lock check-lock docs check-docs image clean setup-run

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

demo: setup-run ## a day of demand on emulated vendors with the daemon and its page, sped up
	@$(BIN)/autoscaler demo $(ARGS)

setup: ## the environment for development in .venv; every target does it by itself
	@scripts/setup.sh dev

setup-run: ## the smaller environment that the demo needs
	@scripts/setup.sh run

test: setup ## the tests; ARGS goes to pytest
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## ruff, the import rules, shellcheck and hadolint
	@scripts/lint.sh

types: setup ## mypy, strict
	@$(BIN)/mypy $(ARGS)

bench: setup ## the benchmarks
	@for file in benchmarks/bench_*.py; do \
	    [ -f "$$file" ] || { echo "bench: no benchmarks/bench_*.py" >&2; exit 1; }; \
	    name=$$(basename "$$file" .py); $(BIN)/python -m "benchmarks.$$name" $(ARGS) || exit 1; \
	done

quality: setup ## the table of decision quality over the traces in TRACES=DIR
	@$(BIN)/python -m benchmarks.quality $(TRACES) $(ARGS)

soak: setup ## storms over the whole daemon in virtual time: make soak SEEDS=1000
	@$(BIN)/python -m tests.sim.soak --seeds $(SEEDS) $(ARGS)

planted: setup ## deliberate bugs, each of which tests must notice
	@$(BIN)/python -m tests.planted $(ARGS)

mutants: setup ## random bugs in core and policies, and the share of them that tests notice
	@$(BIN)/python -m scripts.mutants $(ARGS)

lock: setup ## write the lock files from pyproject.toml; ARGS=--upgrade takes the newest versions
	@scripts/lock.sh $(ARGS)

check-lock: setup ## do the lock files fit pyproject.toml?
	@scripts/lock.sh --check

docs: setup ## renew what the pages quote from the program, then check them
	@$(BIN)/python scripts/docs.py --write

check-docs: setup ## do the pages' links, examples and quotes hold?
	@$(BIN)/python scripts/docs.py

image: ## build the container image with docker; ARGS goes to docker build
	@docker build -t autoscaler $(ARGS) .

clean: ## remove .venv, caches and built files
	@[ ! -f $(VENV)/pyvenv.cfg ] || rm -rf $(VENV)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .demo .soak build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
