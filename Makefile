# Set-up, serving and tests. `make` alone lists the targets. Each set-up step leaves a stamp file and is a no-op after.

# Where it is set, as in many containers, each start of a command would compile all of Nicobar again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SDK := dodopayments

# The first Python that is new enough; `make setup PYTHON=...` chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

# --reload is ours: watchfiles starts the server again when a file of src/nicobar changes (--filter default: no caches).
RELOAD := $(filter --reload,$(ARGS))
SERVE = $(BIN)/nicobar serve --demo $(filter-out --reload,$(ARGS))
WATCHED = $(BIN)/watchfiles --filter default --sigint-timeout 30 '$(SERVE)' src/nicobar

.DEFAULT_GOAL := help
.PHONY: help setup serve test prove coverage check bench fix pin sbom

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/development.stamp build/chromium build/proxies.stamp build/node/node_modules/$(SDK) ## Set up everything that the other targets need, and nothing else

serve: $(if $(RELOAD),.venv/development.stamp,.venv/program.stamp) ## Serve a demo shop until Ctrl-C; options: make serve ARGS="--port 9000 --reload"
	@exec $(if $(RELOAD),$(WATCHED),$(SERVE))

test: setup check ## Run every check and every test
	@CHROMIUM="$$(cat build/chromium 2>/dev/null)" $(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

prove: setup build/next/node_modules/next ## Run what draws at random in full, not for the tenth or less of `make test`, and write docs/proof.md (minutes)
	@CHROMIUM="$$(cat build/chromium 2>/dev/null)" NICOBAR_PROVE=1 $(BIN)/python -m pytest -n 2 -m proof $(ARGS)

coverage: setup ## Run every test and show what of src/ none of them reaches; fails below the floor
	@rm -rf build/coverage && mkdir -p build/coverage
	@CHROMIUM="$$(cat build/chromium 2>/dev/null)" $(BIN)/coverage run -m pytest -n 3 $(ARGS)
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

check: .venv/development.stamp ## Check style, types and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@contracts=$$($(BIN)/lint-imports 2>&1) || { echo "$$contracts"; exit 1; }
	@echo "Import contracts hold."

bench: .venv/development.stamp ## Measure everything beside pgbench, and write docs/performance.md (ten minutes); ARGS=--quick for a look
	@$(BIN)/python -m bench.run $(ARGS)

fix: .venv/development.stamp ## Put style in order
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

sbom: .venv/development.stamp ## Print what Nicobar is made of to run, with licences, as CycloneDX
	@$(BIN)/python .ci/sbom.py

pin: $(BIN)/python ## Install the newest versions that pyproject.toml allows, and write them to constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --editable '.[dev]'
	@$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Nicobar needs Python 3.11 or newer, and there is only: $$(python3 --version 2>&1)." \
		"Install a newer one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; \
		test "$$(id -u)" = 0 && apt-get update >/dev/null 2>&1 && apt-get install -y python3-venv >/dev/null 2>&1; \
		$(PYTHON) -m venv .venv; }

.venv/program.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Nicobar into .venv (half a minute, once) ..."
	@$(PIP) --editable . '$(SDK)[webhooks]'
	@touch $@

.venv/development.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Nicobar and its development tools into .venv (a minute, once) ..."
	@$(PIP) --editable '.[dev]'
	@touch .venv/program.stamp $@

build/chromium: .venv/development.stamp .ci/find-chromium
	@.ci/find-chromium $@

build/proxies.stamp: .ci/install-proxies
	@.ci/install-proxies $@

build/node/node_modules/$(SDK): .ci/install-node-sdk
	@.ci/install-node-sdk build/node

build/next/node_modules/next: .ci/install-next
	@.ci/install-next build/next
