# Everything runs in .venv, made on first use and kept until pyproject.toml or constraints.txt change.
# Paths are relative throughout, so the folder's name may hold spaces.
.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench faults mutants docs browser clean
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
WORKERS := -n logical --maxprocesses 4
# Scripts and editable installs hold absolute paths: an environment that was moved is made again.
MOVED := $(if $(wildcard $(VENV)/.place),$(shell printf '%s' '$(subst ','\'',$(CURDIR))' | cmp -s - $(VENV)/.place || echo moved))

help:
	@echo "make demo      install into $(VENV), then run AdaMatch at demo scale: verdicts and a page, a few minutes"
	@echo "make test      lint, types, tests and every experiment's smoke run"
	@echo "make test-all  the same with the slow tests and the examples in docstrings"
	@echo "make bench     every benchmark: time as a ratio to a named peer"
	@echo "make faults    kill, starve and damage runs in every way, and look whether anything is lost; minutes"
	@echo "make mutants   SYSTEM=id: small mistakes in a system's mathematics: do its fast tests notice them? minutes"
	@echo "make docs      the documentation as a site in site/, checked; nothing is fetched"
	@echo "make browser   that site, pages of runs, comparisons and the digest in a headless Chromium; minutes"
	@echo "make clean     remove $(VENV)"
	@echo
	@echo "Python 3.11 or newer is needed; to choose one: make demo PYTHON=/path/to/python3.12"
	@echo "HOLDFAST_DATA, if set, names a folder of data sets that cannot be shipped; what needs them is skipped without."

demo: $(VENV)/.base
	@echo "== AdaMatch at demo scale: does it hold on real digits?"
	$(VENV)/bin/holdfast run adamatch --scale demo

test: $(VENV)/.dev
	@$(MAKE) --no-print-directory .lint
	@echo "== tests"
	$(RUN) -m pytest -p tests.timings -m "not slow" $(WORKERS) $(PYTEST)

test-all: $(VENV)/.dev
	@$(MAKE) --no-print-directory .lint
	@echo "== examples in docstrings"
	$(RUN) -m pytest --doctest-modules src
	@echo "== tests, slow ones included"
	$(RUN) -m pytest -p tests.timings --hypothesis-profile random $(WORKERS) $(PYTEST)

.PHONY: .lint
.lint:
	@echo "== lint"
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	@echo "== types"
	$(RUN) -m mypy

bench: $(VENV)/.dev
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(RUN) "$$file"; done

# FAULTS="--list" names them; FAULTS="run-killed disk-full" tries only these; FAULTS=--record keeps what came of it.
faults: $(VENV)/.dev
	$(RUN) -m tests.faults $(FAULTS)
	$(if $(FAULTS),,$(RUN) -m tests.fuzz --share 0.02)
	$(if $(FAULTS),,$(RUN) -m tests.security)

# make mutants SYSTEM=fct SEED=1 COUNT=40 MODULES="method.py tool/maps.py"; MUTANTS=--list only names them, MUTANTS="--jobs 4".
mutants: $(if $(SYSTEM),$(VENV)/.dev)
	@test -n "$(SYSTEM)" || { echo "mutants: of which system? For instance: make mutants SYSTEM=adamatch"; exit 2; }
	@$(RUN) -m tests.mutants "$(SYSTEM)" $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) \
	    $(if $(MODULES),--modules "$(MODULES)") $(MUTANTS)

docs: $(VENV)/.docs
	$(RUN) docs/generator/build.py

# BROWSER="-k keyboard" runs some of the checks; pictures of the pages go to build/browser/.
browser: $(VENV)/.browser docs
	$(RUN) -m tests.browser $(BROWSER)

clean:
	rm -rf $(VENV)

# ------------------------------------------------------------------------------------------------------ installation
$(VENV)/.base: $(VENV)/.place pyproject.toml constraints.txt
	@echo "== install holdfast into $(VENV) (PyTorch alone is 200 MB, with CUDA several GB: see README.md)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.place pyproject.toml constraints.txt
	@echo "== install holdfast and what its tests need into $(VENV) (PyTorch alone is 200 MB, with CUDA several GB: see README.md)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.base $@

$(VENV)/.docs: $(VENV)/.base
	@echo "== install what builds the documentation into $(VENV)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

$(VENV)/.browser: $(VENV)/.dev
	@echo "== install what drives a browser into $(VENV)"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'
	@touch $@

$(VENV)/.place: $(if $(MOVED),.moved)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "holdfast needs Python 3.11 or newer; $(PYTHON) is: $$("$(PYTHON)" --version 2>&1 || true)"; \
	    echo "Choose another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 2; }
	@echo "== make $(VENV) with $$("$(PYTHON)" --version)"
	@rm -rf $(VENV)
	@"$(PYTHON)" -m venv $(VENV) || { \
	    echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv"; exit 2; }
	@printf '%s' '$(subst ','\'',$(CURDIR))' > $@

.PHONY: .moved
.moved:
