# Two commands do everything on a fresh clone:
#   make demo    an environment, the package, and the main scenario with its figures
#   make test    an environment, linters, types and all tests (most again on Python 3.12 if there)
# Others: make lint, docs, finite-size, screenshots, bench, clean. PYTHON=... picks the interpreter (3.11 or newer).

SHELL  := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first that works: a name on the PATH may be a shim for a version that is not there.
works   = $(1) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < $(2))' 2>/dev/null
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
            if $(call works,$$p,(3, 11)); then echo $$p; break; fi; done)
NEWER  ?= $(shell for p in python3.12 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12*/bin/python; do \
            if $(call works,$$p,(3, 12)); then echo $$p; break; fi; done)

VENV   := .venv
VENV12 := .venv312
BIN    := $(VENV)/bin
PIP     = -m pip install --quiet --disable-pip-version-check -c constraints.txt
FIGURE := scenarios/literature/hardt-2023/figure-6.toml
MAIN   := scenarios/experiments/baseline.toml
JOBS   ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
# One more than there are cores: many tests wait for a process, a browser or a kill. File by file
# (tests/conftest.py), in their order: the longest, those of the page, come first.
SPREAD  = -n $$(($(JOBS) + 1)) --dist loadgroup --no-loadscope-reorder

.PHONY: help demo test lint types pytest test-newer figure finite-size docs bench clean screenshots

help:
	@sed -n '2,4s/^# *//p' Makefile

# ---- environments: made once, and again only when what they are made from has changed

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
	  echo "Python 3.11 or newer, with venv, is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python"; \
	  exit 1; fi
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(VENV)/.made
	$(BIN)/python $(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/python $(PIP) -e ".[dev]"
	@touch $@

# After the other environment: both installs write the package's egg-info.
$(VENV12)/.test: pyproject.toml constraints.txt | $(VENV)/.dev
	$(NEWER) -m venv $(VENV12)
	$(VENV12)/bin/python $(PIP) -e ".[page,test]"
	@touch $@

# ---- what one does with them

demo: $(VENV)/.installed
	$(BIN)/alphacrit equilibria $(MAIN)
	@echo
	$(BIN)/alphacrit run $(MAIN)

# The second environment is made while linters and types run.
test:
	@$(MAKE) --no-print-directory -j3 -Otarget lint types $(if $(strip $(NEWER)),$(VENV12)/.test)
	@$(MAKE) --no-print-directory pytest
	@$(MAKE) --no-print-directory test-newer

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

# Modules compiled once, also where the environment says otherwise: some hundred tests start Python.
pytest test-newer: export PYTHONDONTWRITEBYTECODE :=
# One thread per worker: two processes that each want both cores are slower than either.
pytest: export OMP_NUM_THREADS := 1
pytest: $(VENV)/.dev
	$(BIN)/python -m pytest -q $(SPREAD)

test-newer: export OMP_NUM_THREADS := 1
ifeq ($(strip $(NEWER)),)
test-newer:
	@echo "skipped: the tests on Python 3.12 with the newer Mesa (no python3.12 found; NEWER=...)"
else
test-newer: $(VENV12)/.test
	$(VENV12)/bin/python -c 'import mesa, sys; print("Python", sys.version.split()[0], "Mesa", mesa.__version__)'
	$(VENV12)/bin/python -m pytest -q $(SPREAD) --again
endif

# What the page looks like, for the README; made by its tests in a real browser.
screenshots: export ALPHACRIT_SCREENSHOTS := 1
screenshots: $(VENV)/.dev
	$(BIN)/python -m pytest -q tests/browser

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.page

clean:
	rm -rf $(VENV) $(VENV12) .mypy_cache .pytest_cache .ruff_cache build *.egg-info

# ---- what the documentation shows

figure: $(VENV)/.installed
	$(BIN)/python -c 'import alphacrit as a; scenario = a.load("$(FIGURE)"); \
	  a.figures.save(a.figures.threshold_and_investment(scenario), "docs/figures/threshold")'

# Up to a hundred million people: some four minutes and 2 GiB.
finite-size: $(VENV)/.installed
	$(BIN)/python -m benchmarks.finite_size

docs/scenario.md: $(wildcard sim/scenario*.py) | $(VENV)/.installed
	printf '# The fields of a scenario\n\nMade by `make docs` from where they are declared.\n\n' > $@
	$(BIN)/python -c 'from sim.scenario import fields_markdown as f; print(f().rstrip())' >> $@

docs: figure docs/scenario.md
