# The commands of this repository; `make` alone lists them.

PYTHON ?= python3
PORT ?= 8080
FLOWER_PORT ?= 5555
ONLY ?=
BIN := .venv/bin
SETUP := .venv/.setup

.DEFAULT_GOAL := help
.PHONY: help setup serve demo test lint types format chaos chaos-short screenshots wheel clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(SETUP) ## make .venv with everything in it (PYTHON=python3.12 to choose one)

# Nothing is downloaded while this file is newer than what it depends on.
$(SETUP): pyproject.toml constraints.txt tests/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
	  { echo "Python 3.10 to 3.13 is needed; name one: make setup PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,metrics,sqlalchemy]' -r tests/requirements.txt
	@touch $@

serve: $(SETUP) ## run the reference app; PORT=, FLOWER_PORT=, ONLY=backend,worker,beat,flower
	@$(BIN)/flaskiq dev --port $(PORT) --flower-port $(FLOWER_PORT)$(if $(ONLY), --only $(ONLY))

demo: $(SETUP) ## show the dashboard of a busy app; PORT=, FLOWER_PORT=
	@$(BIN)/flaskiq demo --port $(PORT) --flower-port $(FLOWER_PORT)

test: lint types ## check the code and run the tests
	$(BIN)/python -m pytest -m 'not slow' -n 4 --dist worksteal

lint: $(SETUP) ## check style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(SETUP) ## check types
	$(BIN)/mypy

format: $(SETUP) ## lay out the code and mend what can be mended
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

chaos: $(SETUP) ## kill, freeze and cut everything while 20,000 jobs run, and say what was lost
	$(BIN)/python -m chaos

chaos-short: $(SETUP) ## the same in about a minute
	$(BIN)/python -m chaos --short

screenshots: $(SETUP) ## take the pictures in docs/screenshots; needs chromium
	$(BIN)/python docs/screenshots.py

wheel: $(SETUP) ## build dist/*.whl
	$(BIN)/python -m build --wheel

clean: ## remove what the other commands made, except the data in .flaskiq and instance
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache
