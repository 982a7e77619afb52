# The two commands that a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.set-up

.DEFAULT_GOAL := help
.PHONY: help run test setup bench lint clean lock

help: ## list these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

run: $(SETUP) ## start the demo: service :8000, tenant :8001, shop :8002
	@$(BIN)/websync demo

test: $(SETUP) ## every check and test, in a real browser and on both databases
	@tools/prepare_tests.sh $(BIN)
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

setup: $(SETUP) ## only the set-up: .venv with everything

bench: $(SETUP) ## measure the speed (docs/performance.md)
	@tools/prepare_bench.sh $(BIN)
	@$(BIN)/python -m tools.bench $(OPTIONS)

lint: $(SETUP) ## ruff and mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy

lock: $(SETUP) ## resolve the dependencies anew into requirements/*.txt
	@tools/lock.sh $(BIN)

clean: ## remove everything that was made here
	rm -rf $(VENV) build dist .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/node_modules tools/bench/peer/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SETUP): requirements/dev.txt requirements/run.txt pyproject.toml
	@tools/set_up.sh $(PYTHON) $(VENV)
	@touch $@
