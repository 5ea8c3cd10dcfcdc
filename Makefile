# Every target installs what it needs into .venv from requirements.lock the first time; the second time is quick.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo up down test chaos bench lint format docs lock clean

help: ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /make \1\t/' | expand -t 14

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Takt needs Python 3.11, 3.12 or 3.13; install one and try again."; exit 1; }
	@echo "Installing into $(VENV) with $$($(PYTHON) --version) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^[a-z0-9]/{keep=/^uv==/} keep' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED) ## Install everything into .venv

demo: $(INSTALLED) ## A month of a factory: records in, facts, KPIs, rejects and one number traced
	@$(BIN)/takt demo

up: $(INSTALLED) ## PostgreSQL, the Dagster UI, its daemon and the API, until Ctrl-C
	@$(BIN)/takt up

down: $(INSTALLED) ## Stop what was left running
	@$(BIN)/takt down

test: $(INSTALLED) ## All tests, on a real database
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

chaos: $(INSTALLED) ## The long proofs: kills at random moments, very large days
	@$(BIN)/python -m pytest -m chaos --timeout 3600

bench: $(INSTALLED) ## The benchmarks; figures go to benchmarks/results.json
	@$(BIN)/python -m benchmarks

lint: $(INSTALLED) ## ruff, pyright, import-linter, the rules for models
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/python -m dbt_like_sql
	@$(BIN)/pyright

format: $(INSTALLED) ## Put the code in shape
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

docs: $(INSTALLED) ## Write the reference pages from the code
	@$(BIN)/python docs/generate.py

lock: $(INSTALLED) ## Resolve requirements.lock anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev \
	  pyproject.toml --output-file requirements.lock --upgrade

clean: ## Remove .venv and the caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis dist build
