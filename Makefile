# Every target creates what it needs. `make test` is everything that CI runs, in one order.
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: setup fmt lint types arch test matrix cache-campaign test-shared cov docs examples demo bench clean
.NOTPARALLEL:

setup: .venv/.stamp-dev

.venv/.stamp-dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test,examples,terminal,postgres]' && touch $@

.venv/.stamp-examples: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[examples]' && touch $@

fmt: setup
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup
	$(BIN)/mypy

arch: setup
	$(BIN)/lint-imports --no-logo

# One run of pytest covers the tests, the docs' code blocks and the examples.
test: lint types arch
	$(PYTEST) -n 2 -m "not slow"

# Every graph shape with every behaviour: a long campaign, of which `make test` runs a slice.
matrix: setup
	$(PYTEST) -n 2 tests/matrix

# The same flows where a team keeps its runs: PostgreSQL, and blobs on disk or in S3. A sample of it
# of each pair: `make test-shared STORAGE_SAMPLE=60 STORAGE_SEED=7`.
test-shared: setup
	$(PYTEST) -n 2 -m shared tests/matrix tests/flows

# Random flows with caching against the same without: 20,000 of them, of which `make test` runs 100.
cache-campaign: setup
	$(PYTEST) -n 2 -m slow tests/properties/test_cache_against_plain_runs.py

cov: setup
	$(PYTEST) -n 2 --cov --cov-report=term-missing:skip-covered

docs: setup
	$(BIN)/python docs/generate.py && $(PYTEST) tests/docs

examples: setup
	$(PYTEST) tests/flows/test_examples.py

demo: .venv/.stamp-examples
	$(BIN)/python examples/digits.py run

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf .venv build dist *.egg-info .coverage .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
