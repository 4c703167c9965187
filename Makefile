# The only place where commands live; CI and the docs call these.
# A fresh machine needs Python 3.11, 3.12 or 3.13, make and a network; nothing else.
.DELETE_ON_ERROR:
.PHONY: help install install-dev demo up image test test-slow test-engine lint lint-deploy manifests format bench docs docs-check lock clean
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
export PYTHONNOUSERSITE := 1
ARGS ?=

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(VENV)/.runtime ## Create .venv from the hash-pinned lock
install-dev: $(VENV)/.dev ## The same with test and lint tools

# The lock is complete, so pip resolves nothing (--no-deps) and checks every hash.
$(VENV)/.runtime: requirements.lock pyproject.toml scripts/find_python.sh
	@python=$$(sh scripts/find_python.sh) || exit 1; \
	if [ ! -x $(BIN)/python ] || ! $(BIN)/python -c '' 2>/dev/null; then \
	  echo "creating $(VENV) with $$python"; rm -rf $(VENV); \
	  "$$python" -m venv $(VENV) || { echo "cannot create $(VENV): install the venv module of your Python (Debian: python3-venv)" >&2; rm -rf $(VENV); exit 1; }; fi
	@echo "installing the locked requirements (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

# Linters with many pins of their own; nothing of the product runs beside them.
.venv-tools/.done: $(VENV)/.dev requirements-tools.lock
	@[ -x .venv-tools/bin/python ] || $(BIN)/python -m venv .venv-tools
	@echo "installing the linters (once)"
	@.venv-tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-tools.lock
	@touch $@

demo: $(VENV)/.runtime ## Run the main job on embedded parts and print what came out; ARGS=--keep leaves it up
	@$(BIN)/aquascene demo $(ARGS)

up: $(VENV)/.runtime ## Start everything embedded and stay in the foreground
	@$(BIN)/aquascene up $(ARGS)

image: ## Build the image aquascene:production with the docker on PATH; ARGS=development builds that target
	@sh scripts/ci/product_image.sh $(ARGS)

test: $(VENV)/.dev ## Run all tests, or with ARGS what pytest is given
	@if [ -n "$(ARGS)" ]; then $(BIN)/python -m pytest $(ARGS); else sh scripts/test_all.sh $(BIN)/python; fi

test-slow: $(VENV)/.dev ## Run the longer sets: kill -9 at every stage of the line
	@$(BIN)/python -m pytest -m slow --timeout=900 $(ARGS)

test-engine: $(VENV)/.dev ## Run the tests with a Docker engine: the image, the demo container, Compose, Swarm
	@$(BIN)/python -m pytest -m 'engine and not slow' --timeout=1500 tests/engine $(ARGS)

lint: $(VENV)/.dev ## Format, lint, types, layers, policy and the size report
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy aquascene flows tasks blocks deployments migrations scripts
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pytest -q tests/policy
	@$(BIN)/python scripts/size_report.py

lint-deploy: .venv-tools/.done ## Lint images, scripts, YAML, workflows, manifests and migrations
	@bash scripts/lint_deploy.sh

manifests: $(VENV)/.dev ## Render and check the Kubernetes manifests; ARGS="render ..." or "check ..." does one of them
	@if [ -n "$(ARGS)" ]; then $(BIN)/python -m scripts.manifests $(ARGS); else $(BIN)/python -m scripts.manifests render && $(BIN)/python -m scripts.manifests check; fi

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: $(VENV)/.dev ## Run the benchmarks; ARGS goes to each
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file $(ARGS); done

docs: $(VENV)/.dev ## Write the generated parts of the docs anew
	@$(BIN)/python scripts/write_docs.py

docs-check: $(VENV)/.dev ## Check that links resolve and generated parts are current
	@$(BIN)/python scripts/write_docs.py --check

lock: $(VENV)/.dev ## Resolve the locks anew (uv comes from the index by its own)
	@$(BIN)/python -m pip install --quiet uv
	@compile='$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --upgrade --quiet --custom-compile-command "make lock"'; \
	eval "$$compile pyproject.toml -o requirements.lock" >/dev/null; \
	eval "$$compile pyproject.toml --extra cluster -c requirements.lock -o requirements-cluster.lock" >/dev/null; \
	eval "$$compile pyproject.toml --extra cluster --group dev -c requirements-cluster.lock -o requirements-dev.lock" >/dev/null; \
	eval "$$compile --group tools -o requirements-tools.lock" >/dev/null

clean: ## Remove .venv and all local state
	@rm -rf $(VENV) .venv-tools .aquascene .mypy_cache .ruff_cache .pytest_cache
