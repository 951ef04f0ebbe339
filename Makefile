# Everything a contributor runs. Each target sets up what it needs first.
# Settings: PYTHON (an interpreter, 3.11 or newer), WORKERS (test processes), ARGS (further words for the tool).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
UV = $(or $(shell command -v uv),$(BIN)/uv)
LOCKS := requirements/dev.txt requirements/build.txt requirements/uv.txt
WORKERS ?= 2
ARGS ?=
TESTS ?= tests

# The environment is the one in .venv and nothing else, whatever the caller has active.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# A home that cannot be written to (some build machines) must not stop uv: then its cache lies beside the tools.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/$(VENV)/cache
export PIP_NO_CACHE_DIR ?= 1
endif

##@ Use

.PHONY: help
help: ## Show this page
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(READY) ## Make .venv with everything in it (again only when a lock or pyproject.toml changed)

.PHONY: demo
demo: $(READY) ## Replay a year of New York flights through the whole loop
	test -f demo-data/airlines.parquet || $(BIN)/python -m examples.flights.data demo-data
	$(BIN)/treadle replay --project examples/flights --data demo-data --home demo-home \
		--json demo-home/replay.json --report demo-home/report.html $(ARGS)

##@ Check

.PHONY: check
check: lint types imports ## All static checks: format, lint, types, import contract

.PHONY: lint
lint: $(READY) ## Check format and lint rules
	status=0; $(BIN)/ruff format --check . || status=1; $(BIN)/ruff check . || status=1; exit $$status

.PHONY: types
types: $(READY) ## Check types, strictly
	$(BIN)/mypy

.PHONY: imports
imports: $(READY) ## Check which folder imports which
	$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(READY) ## Put the code into its format and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

##@ Test

.PHONY: test
test: $(READY) ## Run the tests (TESTS=path ARGS=... to narrow)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS) $(ARGS)

.PHONY: faults
faults: $(READY) ## Kill processes at named points and see that nothing is lost
	$(BIN)/python -m pytest -m faults $(TESTS) $(ARGS)

.PHONY: test-clients
test-clients: $(READY) ## Drive treadle with the real clients of the protocols it speaks
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/clients.txt
	$(BIN)/python -m pytest -m clients $(TESTS) $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure against the budgets, on a quiet machine
	$(BIN)/python -m pytest -m bench -p no:xdist $(TESTS) $(ARGS)

.PHONY: docs-check
docs-check: $(READY) ## Run every example in the README and the docs
	$(BIN)/python -m pytest tests/docs $(ARGS)

##@ Maintain

.PHONY: lock
lock: | $(READY) ## Write the locks anew from pyproject.toml (ARGS=--upgrade for the newest versions)
	$(BIN)/uv pip compile --group pyproject.toml:bootstrap $(COMPILE) --output-file requirements/uv.txt
	$(BIN)/uv pip compile --group pyproject.toml:build $(COMPILE) --output-file requirements/build.txt
	$(BIN)/uv pip compile pyproject.toml --extra all --group dev --group demo $(COMPILE) --output-file requirements/dev.txt
	$(BIN)/uv pip compile --group pyproject.toml:clients --constraints requirements/dev.txt $(COMPILE) --output-file requirements/clients.txt

COMPILE = --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-index-annotation --custom-compile-command "make lock" $(ARGS)

.PHONY: clean
clean: ## Remove everything that make made, the environment and the demo's data included
	rm -rf $(VENV) build dist demo-home demo-data .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- how the environment is made -----------------------------------------------------------------------------

# uv comes from PATH, or from the package index by the interpreter's own pip, pinned by hash like the rest. `sync`
# makes the environment equal to the lock, so that what is not declared is not there either. treadle itself is
# installed editable, built by the hatchling of the lock.
$(READY): $(LOCKS) pyproject.toml
	@python=""; \
	for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "error: no Python 3.11 or newer on PATH" >&2; \
		echo "  fix:   install one, or name it: make setup PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	test -x $(BIN)/python || "$$python" -m venv $(VENV); \
	uv="$$(command -v uv || true)"; \
	if [ -z "$$uv" ]; then \
		test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt; \
		uv=$(BIN)/uv; \
	fi; \
	"$$uv" pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes --build-constraints requirements/build.txt requirements/dev.txt; \
	"$$uv" pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
