# Everything here works from a clean clone: the first target makes .venv, and makes it again when
# pyproject.toml or constraints.txt change.

PYTHON ?= python3
PIP_VERSION := 26.3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_BENCH := .venv/.installed-bench
PYTEST_ARGS ?=

# Airflow writes only under the checkout, never to ~/airflow; proxies are not for loopback.
export AIRFLOW_HOME := $(CURDIR)/.cache/airflow
export AIRFLOW__CORE__LOAD_EXAMPLES := False
export NO_PROXY := 127.0.0.1,localhost,::1,$(NO_PROXY)
export no_proxy := $(NO_PROXY)

.DEFAULT_GOAL := help
.PHONY: help demo sandbox airflow test test-unit test-integration test-oldest matrix lint format bench constraints clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

demo: $(INSTALLED) ## Run contacts -> batch call once, through real Airflow against the sandbox
	$(BIN)/python -m tools.demo

sandbox: $(INSTALLED) ## Keep a local Truedy up to look at (Ctrl-C ends it)
	$(BIN)/python -m truedy_sandbox $(SANDBOX_ARGS)

airflow: $(INSTALLED) ## Start Airflow's UI, the sandbox and the examples (Ctrl-C ends all)
	$(BIN)/python -m tools.run_airflow

test: test-unit test-integration ## Run all tests: the fast ones, then those through real Airflow

test-unit: $(INSTALLED) ## Run the fast tests
	$(BIN)/python -m pytest tests sandbox/tests --ignore=tests/integration -n 2 --dist worksteal $(PYTEST_ARGS)

test-integration: $(INSTALLED) ## Run the tests through real Airflow, PostgreSQL and Redis
	$(BIN)/python -m pytest tests/integration $(PYTEST_ARGS)

test-oldest: $(INSTALLED) ## Run the fast tests of the Airflow face on the oldest Airflow and Python
	$(BIN)/nox -s oldest

matrix: $(INSTALLED) ## Try four pairs of Airflow and Python (an hour), and print a table for docs/installation.md
	$(BIN)/nox -s matrix table

lint: $(INSTALLED) ## Check with ruff, ruff format and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED) ## Let ruff sort imports and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED_BENCH) ## Run the benchmarks
	$(BIN)/python -m benchmarks

$(INSTALLED): pyproject.toml sandbox/pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet pip==$(PIP_VERSION)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e . -e ./sandbox --group dev
	touch $@

$(INSTALLED_BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group bench
	touch $@

# Needs each Python on the PATH, e.g. by pyenv; the newest versions that fit AIRFLOW_VERSION are taken.
AIRFLOW_VERSION ?= 3.3.2
CONSTRAINED_PYTHONS := 3.10 3.11 3.12 3.13
constraints: ## Resolve the newest versions on Python 3.10 to 3.13 and write constraints.txt
	mkdir -p .cache/constraints
	for version in $(CONSTRAINED_PYTHONS); do \
		venv=.cache/constraints/venv-$$version && \
		python$$version -m venv $$venv && \
		$$venv/bin/python -m pip install --quiet pip==$(PIP_VERSION) && \
		$$venv/bin/python -m pip install --quiet --dry-run --ignore-installed \
			--report .cache/constraints/$$version.json \
			-e . -e ./sandbox --group dev --group bench apache-airflow==$(AIRFLOW_VERSION) || exit 1; \
	done
	$(PYTHON) tools/merge_constraints.py .cache/constraints/*.json > .cache/constraints/merged.txt
	cp .cache/constraints/merged.txt constraints.txt

clean: ## Remove .venv, caches and built files
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis build dist out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
