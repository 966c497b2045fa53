# Everything a fresh clone needs is made by these targets; each may be run again at any time.
#   make demo [HEADLESS=1]   the whole thing on this machine
#   make test                set up what the tests need, then run all of them
#   make lint | bench | bench-charts | soak | env | cluster-up | cluster-down | clean
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# Debian's own Python first: jobs of other users cannot reach one in somebody's home.
PYTHON ?= $(shell for p in /usr/bin/python3.11 /usr/bin/python3 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
STAMP := $(VENV)/.made-from
CLUSTER := tests/system/cluster
# What browsers run, made from js/: in the wheel but not in git. The manifest is written last.
BUNDLE := spawners/nearfield_spawners/static/manifest.json
JS := js/package.json js/package-lock.json js/tsconfig.json js/bundle.mjs js/make.py js/lab_extension.py \
	$(addprefix js/lab/,package.json yarn.lock install.json .yarnrc.yml) \
	$(shell find js/src js/lab/src js/lab/schema js/lab/style -type f)
HEADLESS ?=
DEMO_DIR ?= build/demo

# Installs quietly, but says how far it is; on failure the log's end and the usual reason.
pip = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt $(1) \
	2>&1 | tee build/pip.log | awk '/^Collecting /{if (++n % 25 == 0) {print "    " n " packages found"; fflush()}} \
	/^Installing collected/{print "    installing"; fflush()}' >&2 || { tail -n 5 build/pip.log >&2; \
	echo "pip failed; the whole log is build/pip.log. Does this machine reach a package index?" >&2; exit 1; }

.PHONY: help env js demo test unit contract system browser lint bench bench-charts soak soak-hub5 cluster-up cluster-down clean

help:
	@sed -n '2,4p' Makefile | sed 's/^# *//'

env: $(STAMP) $(BUNDLE)

js: $(BUNDLE)

# The stamp is a copy of what the environment was made from. Progress goes to standard error: what
# `make demo HEADLESS=1` prints is JSON lines, the first time too.
$(STAMP): pyproject.toml constraints.txt Makefile hub_config/proxy/package-lock.json
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is missing: apt install python3-venv" >&2; exit 3; }
	@echo "==> Python environment in $(VENV) ($(PYTHON)); some minutes the first time" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2
	@mkdir -p build
	@$(call pip,pip hatchling editables)
	@$(call pip,--no-build-isolation -e '.[dev]')
	@echo "==> JupyterHub's proxy" >&2
	@$(BIN)/python -m nearfield.demo.proxy >/dev/null
	@cat pyproject.toml constraints.txt > $@

$(BUNDLE): $(JS) | $(STAMP)
	@echo "==> pages, widgets and the JupyterLab extension (js/)" >&2
	@$(BIN)/python js/make.py bundle >&2

demo: env
	@$(BIN)/nearfield demo --dir $(DEMO_DIR) $(if $(HEADLESS),--headless)

test: env
	@bash tests/run

unit contract system browser: env
	@bash tests/run $@

lint: env
	@echo "==> ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "==> mypy"; $(BIN)/mypy
	@echo "==> import-linter"; $(BIN)/lint-imports
	@echo "==> tsc"; $(BIN)/python js/make.py check

bench: env
	@mkdir -p benchmarks/results
	@rc=0; for b in benchmarks/*.py; do echo "==> $$b"; $(BIN)/python $$b || rc=1; done; exit $$rc

# Draws what the benchmarks of reductions measured last, for the documentation.
bench-charts: env
	@cd benchmarks && ../$(BIN)/python -m benchkit.charts

soak: env
	@bash tests/run soak hub5

soak-hub5: env
	@bash tests/run hub5

cluster-up: env
	@$(CLUSTER)/install-apptainer
	@$(CLUSTER)/cluster up
	@$(CLUSTER)/site-runtime "$(CURDIR)"

cluster-down:
	@$(CLUSTER)/cluster down

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
