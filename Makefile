# Two commands do everything on a machine that has Python (3.11 or newer) and make: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
BIN := $(VENV)/bin
# The first Python here that is new enough; name another with PYTHON=...
PYTHON ?= $(shell for name in python3 python3.12 python3.11 python3.13; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
# Where torch comes from; empty takes pip's own index. For a small CPU build on Linux:
# make env TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
STAMP := $(VENV)/.installed
MINUTES ?=
REMOTE ?= build/remote-environment
CLUSTER ?= build/cluster-environment
# Tests run on as many cores as there are, 4 at most: each worker imports everything anew.
WORKERS ?= auto
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --maxprocesses 4 --dist loadfile

.PHONY: help demo speedrun test test-slow test-remote test-cluster test-lsdb lint oracle format env lock docs clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

demo: env ## Simulate, train, sample, measure, compare and report, in ten minutes on two cores
	@$(BIN)/galsmith demo -o demo $(if $(MINUTES),--minutes $(MINUTES))

speedrun: env ## Train the fastest model within 1.5 floors of its galaxies, three seeds, and print its line
	@OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python benchmarks/speedrun/speedrun.py

test: lint ## Check style, types and imports, then run the tests that take under 10 seconds each
	@echo "test: pytest, without the slow ones (make test-slow runs those)"
	@$(PYTEST) -m "not slow"

test-slow: env ## Run the slow tests
	@$(PYTEST) -m slow

test-remote: env ## Test s3:// against a server of its own, in an environment of its own
	@test -x $(REMOTE)/bin/python || $(BIN)/python -m venv $(REMOTE)
	@$(REMOTE)/bin/python -m pip install -qq --disable-pip-version-check 'moto[server]>=5' 's3fs>=2024.6'
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$($(REMOTE)/bin/python -c \
		'import site; print(site.getsitepackages()[0])')/galsmith.pth
	@PYTHONPATH=src $(REMOTE)/bin/python -m pytest -q -n 0 tests/ground/test_s3.py

test-cluster: env ## Test Dask clusters, with processes of its own, in an environment of its own
	@test -x $(CLUSTER)/bin/python || $(BIN)/python -m venv $(CLUSTER)
	@$(CLUSTER)/bin/python -m pip install -qq --disable-pip-version-check 'distributed>=2024.8' 'dask-jobqueue>=0.9'
	@$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' > $$($(CLUSTER)/bin/python -c \
		'import site; print(site.getsitepackages()[0])')/galsmith.pth
	@PYTHONPATH=$(CURDIR)/src $(CLUSTER)/bin/python -m pytest -q -n 0 tests/ground/test_clusters.py tests/docs/test_cluster_how_to.py

oracle: env ## Ask statmorph itself whether it still says what the tests have frozen
	@$(BIN)/python tests/measure/oracle/check_oracle.py --data $${GALSMITH_TEST_DATA:-../shared/data} --galaxies 3

test-lsdb: env ## Ask LSDB, in an environment of its own, whether it opens what galsmith exports
	@test -x $(VENV)/lsdb/bin/python || $(PYTHON) -m venv $(VENV)/lsdb
	@$(VENV)/lsdb/bin/python -m pip install -qq --disable-pip-version-check lsdb==0.11.1
	@rm -rf $(VENV)/lsdb-catalog && mkdir $(VENV)/lsdb-catalog
	@$(BIN)/python tests/data/lsdb/check_lsdb.py write $(VENV)/lsdb-catalog
	@$(VENV)/lsdb/bin/python tests/data/lsdb/check_lsdb.py check $(VENV)/lsdb-catalog

lint: env ## Check style, types and imports
	@echo "lint: ruff format, ruff check, mypy, lint-imports"
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

format: env ## Format the code
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

env: $(STAMP) ## Create the environment from the lock, once

$(STAMP): requirements/lock.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "galsmith needs Python 3.11 or newer and found none; install it," \
		"or name it: make env PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "galsmith needs Python 3.11 or" \
		"newer, $(PYTHON) is $$($(PYTHON) -V); name another: make env PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "env: creating $(VENV) with $$($(PYTHON) -V)"; $(PYTHON) -m venv $(VENV); } \
		|| { echo "env: this Python cannot make environments; on Debian install python3-venv"; exit 1; }
	@echo "env: installing $(TORCH) (the largest part)"
	@$(PIP_INSTALL) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH)
	@echo "env: installing the locked packages"
	@$(PIP_INSTALL) --no-deps --require-hashes -r requirements/lock.txt
	@echo "env: installing galsmith"
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@echo "env: compiling the measurement engine for this processor"
	@$(BIN)/python -c "from galsmith.measure.compiled_engine import load_kernels; load_kernels(lambda event: None)"
	@touch $@
	@echo "env: ready in $(VENV)"

lock: ## Resolve requirements/lock.txt anew (needs uv)
	@command -v uv > /dev/null || { echo "make lock needs uv (https://docs.astral.sh/uv/)"; exit 1; }
	@head -n 2 requirements/lock.txt > requirements/lock.txt.new
	@uv pip compile --universal --python-version 3.11 --quiet pyproject.toml requirements/torch-dependencies.in \
		requirements/build.in --group pyproject.toml:test --extra train --extra tensorboard --extra features --extra score --extra denoise --extra oracles \
		--override requirements/without-torch.txt --generate-hashes --no-header --no-annotate \
		>> requirements/lock.txt.new || { rm -f requirements/lock.txt.new; exit 1; }
	@mv requirements/lock.txt.new requirements/lock.txt

docs: ## Build the pages as HTML where Sphinx is installed
	@if [ -x $(BIN)/sphinx-build ]; then $(BIN)/sphinx-build -q -b html docs docs/_build/html; \
		else echo "docs: Sphinx is not installed; the pages in docs/ are plain Markdown, start at docs/index.md"; fi

clean: ## Remove caches and the demo; the environment stays
	@rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis docs/_build
