# The commands of this repository. `make` alone lists them.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= python3
ARGS ?=
JOBS ?= 2
MINUTES ?= 10
SEED ?=
SBOM ?= build/sbom.json
SEEDS ?= 2000
KILLS ?= 50
LEASE_MS ?= 2000
# Where `make test-mysql` keeps the MySQL server that it fetches.
SERVERS ?= $(if $(HOME),$(HOME)/.cache/taskservice-servers,$(CURDIR)/.local/servers)
GET_REAL_MYSQL ?= ../shared/tools/get-real-mysql
MYSQL_TESTS := $(wildcard $(addprefix tests/,storage projector lease localstack integration deploy))

.DEFAULT_GOAL := help
.PHONY: help venv up test faults contract failover soak simulate mutants mutants-time docs-time test-mysql check audit sbom lock fresh-check clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## make the virtualenv .venv from the pinned and hashed requirements

$(STAMP): requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh deploy/make-venv.sh $(VENV)
	@touch $@

up: $(STAMP) ## start the whole service here, in the foreground: make up ARGS="--tickers 2 --workers 1 --port 8084"
	@TASKSERVICE_PARENT_PID=$$PPID exec $(BIN)/taskservice up $(ARGS)

test: $(STAMP) ## run the tests, all of them in JOBS processes: make test JOBS=4; a part in one: make test ARGS="tests/domain -k retry"
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n $(JOBS) --dist loadfile --max-worker-restart 0 --durations=20)

test-mysql: $(STAMP) ## run the tests that touch the database on a real MySQL server: TASKSERVICE_MYSQLD, or one fetched once
	@if [ -z "$$TASKSERVICE_MYSQLD" ]; then \
		echo "==> MySQL server in $(SERVERS)"; \
		[ -x "$(GET_REAL_MYSQL)" ] || { echo "make test-mysql: set TASKSERVICE_MYSQLD=/path/to/mysqld" >&2; exit 1; }; \
		"$(GET_REAL_MYSQL)" "$(SERVERS)" || exit 1; \
		export TASKSERVICE_MYSQLD="$(SERVERS)/bin/mysqld"; \
	fi; \
	$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),$(MYSQL_TESTS))

faults: $(STAMP) ## break everything that can break, and check every invariant after it: a line for each fault
	@$(BIN)/python -m pytest -q -m fault --faults=all --tb=native -n $(JOBS) --dist loadfile --max-worker-restart 0 --timeout 300 $(ARGS)

contract: $(STAMP) ## requests made from the OpenAPI document against a stack: make contract MINUTES=10 SEED=42
	@$(BIN)/python -m tests.api_contract.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

simulate: $(STAMP) ## the core on a virtual clock, checked: make simulate SEEDS=2000, or one history in full: make simulate SEED=17
	@$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

mutants: $(STAMP) ## plant bugs into a copy of the product: a test must find each by the name of the invariant that it breaks
	@$(BIN)/python -m tests.faults.mutants.hunt $(ARGS)

mutants-time: $(STAMP) ## plant bugs of time into a copy of the core: the simulation must find each by an invariant's name
	@$(BIN)/python -m tests.simulation.mutants.hunt

failover: $(STAMP) ## kill the leader again and again, and measure: make failover KILLS=50 LEASE_MS=2000
	@$(BIN)/python bench/failover.py --kills $(KILLS) --lease-ms $(LEASE_MS) $(if $(SEED),--seed $(SEED))

soak: $(STAMP) ## random faults, one upon the other, everything checked each round: make soak MINUTES=10 SEED=42
	@$(BIN)/python -m tests.faults.soaking.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

docs-time: $(STAMP) ## write docs/time.md anew: an outage of a minute on a local stack, and what the ledger says of it
	@$(BIN)/python -m tests.time_page.generate

check: $(STAMP) ## format, lint, types, import contracts, image and compose, and tidiness
	@echo "==> ruff format" && $(BIN)/ruff format --check .
	@echo "==> ruff check" && $(BIN)/ruff check .
	@echo "==> mypy" && $(BIN)/mypy
	@echo "==> import contracts" && $(BIN)/lint-imports --no-cache
	@echo "==> image and compose" && $(BIN)/hadolint deploy/Dockerfile && $(BIN)/yamllint --strict compose.yaml .yamllint.yaml && \
		$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	@echo "==> tidy" && $(BIN)/python -m pytest -q tests/tidy

audit: $(STAMP) ## look for known vulnerabilities of what the image holds; says when it can't
	@$(BIN)/python deploy/audit.py

sbom: $(STAMP) ## write the bill of materials of the image, in CycloneDX: make sbom SBOM=FILE
	@mkdir -p $(dir $(SBOM)) && $(BIN)/cyclonedx-py requirements --of JSON --output-reproducible \
		-o $(SBOM) requirements/run.txt && echo "$(SBOM)"

lock: ## pin and hash the requirements anew from pyproject.toml
	@PYTHON="$(PYTHON)" sh deploy/lock.sh $(VENV)

fresh-check: ## clone HEAD into a temporary folder and prove that it starts and passes there, with nothing else
	@$(PYTHON) deploy/fresh_check.py $(ARGS)

clean: ## remove the virtualenv, the caches and the local stack's data
	rm -rf $(VENV) .local .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
