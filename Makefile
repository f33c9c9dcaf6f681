# Everything a newcomer needs is `make demo`; everything an engineer needs is `make check`.
# Each target builds its own .venv first; PYTHON=... chooses the interpreter, ARGS=... is handed on.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.NOTPARALLEL: # one pip at a time in one environment
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install -qq
ARGS ?=

.PHONY: help demo test check format bench soak clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/demo ## serve an image classifier and ask it about a photo
	@$(BIN)/headrace demo $(ARGS)

test: $(STAMPS)/test ## run the whole test suite, but for the soak
	@$(BIN)/pytest -n auto --dist loadfile $(ARGS)

check: $(STAMPS)/dev ## format, lint, types, layers and tests: what CI asks
	@echo "ruff format --check" && $(BIN)/ruff format --check .
	echo "ruff check" && $(BIN)/ruff check .
	echo "mypy" && $(BIN)/mypy
	echo "lint-imports" && $(BIN)/lint-imports --no-logo --no-cache # its cache misses edits
	echo "pytest" && $(BIN)/pytest -n auto --dist loadfile $(ARGS)

format: $(STAMPS)/dev ## format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(STAMPS)/bench ## measure Headrace beside its neighbours (ARGS=echo, forest, bodies, streams, pays or graph: one)
	@$(BIN)/python bench/run.py $(ARGS)

soak: $(STAMPS)/test ## minutes of traffic, kills and reloads
	@TESTS_SOAK=1 $(BIN)/pytest -m soak -n 0 $(ARGS)

clean: ## remove the environment and all that tools left behind
	@rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/python:
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11) none; do
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
	done
	if [ $$python = none ]; then
	  echo "Headrace needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3.11" >&2
	  exit 1
	fi
	echo "making $(VENV) with $$($$python --version)"
	if ! $$python -m venv $(VENV); then
	  echo "$$python cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2
	  exit 1
	fi
	$(INSTALL) 'pip>=25.1' # the first that reads dependency groups
	mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: pyproject.toml | $(STAMPS)/python
	@echo "installing Headrace and its demo (once: about a minute)"
	$(INSTALL) -e '.[demo]'
	touch $@

$(STAMPS)/test: pyproject.toml $(STAMPS)/demo
	@echo "installing what the tests need"
	$(INSTALL) --group test
	$(INSTALL) --no-deps silero-vad==6.2.3 # an example's: its network alone, and not PyTorch
	touch $@

$(STAMPS)/dev: pyproject.toml $(STAMPS)/test
	@echo "installing linters and type checkers"
	$(INSTALL) --group dev
	touch $@

$(STAMPS)/bench: pyproject.toml $(STAMPS)/demo
	@echo "installing what the benchmark needs"
	$(INSTALL) --group bench
	touch $@
