# Everything a person or CI runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
K ?=
.DEFAULT_GOAL := help
.PHONY: help run test test-aws check bench image format docs lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run  ## serve on http://127.0.0.1:8787 (PORT, HOST, PATCHBAY_HOME)
	@exec $(BIN)/patchbay serve

test: $(VENV)/.test  ## run the tests; K=words selects, e.g. make test K=openai
	$(BIN)/pytest $(if $(K),-k "$(K)")

test-aws: $(VENV)/.test  ## run the functions' tests once more with state in DynamoDB and S3 (moto)
	$(BIN)/pytest tests/functions --state aws

check: $(VENV)/.test  ## lint, format, types, import contracts, leaks and docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/test_shape.py tests/test_docs.py

bench: $(VENV)/.test  ## measure the hot path against a bare floor and keep the result; a figure a tenth worse needs BENCH=--save
	$(BIN)/python -m tests.benchmarks.run $(BENCH)

image:  ## build the container image patchbay:VERSION with docker or podman; BASE=python:3.13-slim@sha256:... pins its base
	@test -n "$(ENGINE)" || { echo "No docker and no podman here; set ENGINE=..."; exit 1; }
	$(ENGINE) build -f infra/Dockerfile --build-arg VERSION=$(VERSION) $(if $(BASE),--build-arg BASE=$(BASE)) -t patchbay:$(VERSION) .

ENGINE ?= $(firstword $(notdir $(shell command -v docker podman 2>/dev/null)))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

format: $(VENV)/.test  ## rewrite the source as the formatter wants it
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: $(VENV)/.test  ## write what is made from the source: tables of README.md, .env.example, patchbay.example.yaml
	$(BIN)/python -m infra.local.readme
	$(BIN)/patchbay config example env > .env.example
	$(BIN)/patchbay config example yaml > patchbay.example.yaml

lock: $(VENV)/.test  ## pin what pyproject.toml asks for, with hashes
	$(BIN)/uv pip compile pyproject.toml --extra local $(LOCK) -o infra/local/requirements.txt
	$(BIN)/uv pip compile pyproject.toml --extra local --extra aws $(LOCK) -o infra/requirements.txt
	$(BIN)/uv pip compile pyproject.toml --extra local --extra aws --extra test $(LOCK) -o tests/requirements.txt

LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet

clean:  ## remove the virtual environment and caches; state in .patchbay stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Patchbay needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Both install the same package; tests add what they need on top.
$(VENV)/.run: infra/local/requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r infra/local/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: tests/requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run
