# Everything a person or CI runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
K ?=
.DEFAULT_GOAL := help
.PHONY: help run invoke test test-aws check bench image format docs lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run  ## serve on http://127.0.0.1:8787 (PORT, HOST, PATCHBAY_HOME)
	@exec $(BIN)/patchbay serve

invoke: $(if $(and $(FN),$(EVENT)),$(VENV)/.invoke)  ## one event through a function as Lambda runs it, e.g. FN=chat EVENT=events/chat.json
	@test -n "$(FN)" -a -n "$(EVENT)" || { echo "Say which function and which event: make invoke FN=chat EVENT=events/chat.json"; exit 2; }
	@$(BIN)/patchbay invoke $(FN) $(EVENT)

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

# What is tested is what runs: the other locks take their versions from that of the tests.
lock: $(VENV)/.test  ## pin what pyproject.toml asks for, with hashes
	$(COMPILE) --extra local --extra aws --extra lambda --extra runtime --extra sound --extra test -o tests/requirements.txt
	$(COMPILE) $(TESTED) --extra local -o infra/local/requirements.txt
	$(COMPILE) $(TESTED) --extra local --extra aws -o infra/requirements.txt
	$(COMPILE) $(TESTED) --extra local --extra lambda --extra runtime -o infra/local/requirements-invoke.txt
	$(foreach fn,$(FUNCTIONS),$(COMPILE) $(TESTED) --extra lambda $(EXTRA_$(fn)) -o functions/$(fn)/requirements.txt &&) true

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --quiet
EXTRA_chat := --extra counting
EXTRA_transcribe := --extra sound
EXTRA_speak := --extra sound
TESTED := --constraint tests/requirements.txt
FUNCTIONS := $(patsubst functions/%/app.py,%,$(wildcard functions/*/app.py))

# `sam build` calls these with ARTIFACTS_DIR; FOR=host builds what this machine can run. The .pyc are for Lambda's
# Python, which cannot write its own: without them every cold start compiles all sources anew.
build-%Function:
	$(UV) pip install --quiet --target "$(ARTIFACTS_DIR)" $(FOR_$(FOR)) --no-deps --require-hashes \
		-r functions/$(FN_$*)/requirements.txt
	mkdir -p "$(ARTIFACTS_DIR)/functions"
	cp -R core "$(ARTIFACTS_DIR)/"
	cp -R functions/*.py functions/$(FN_$*) "$(ARTIFACTS_DIR)/functions/"
	$(if $(SHIPPED),cp $(SHIPPED) "$(ARTIFACTS_DIR)/")
	$(if $(OWN),$(SHIP))
	find "$(ARTIFACTS_DIR)" -name __pycache__ -prune -exec rm -rf {} +
	$(UV) run --quiet --no-project $(PYTHON_$(FOR)) python -m compileall -q -j 0 \
		--invalidation-mode unchecked-hash "$(ARTIFACTS_DIR)"

# YAML is read here and not there: by the locked PyYAML, which leaves again before anything is compiled.
define SHIP
sed -n '/^pyyaml==/,/[^\\]$$/p' infra/local/requirements.txt > "$(ARTIFACTS_DIR)/yaml.txt"
	$(UV) pip install --quiet --target "$(ARTIFACTS_DIR)/yaml" $(HERE_$(FOR)) --no-deps --require-hashes -r "$(ARTIFACTS_DIR)/yaml.txt"
	PYTHONPATH="$(ARTIFACTS_DIR)/yaml" $(UV) run --quiet --no-project $(PYTHON_$(FOR)) python -m infra.local.shipped "$(ARTIFACTS_DIR)"
	rm -rf "$(ARTIFACTS_DIR)/yaml" "$(ARTIFACTS_DIR)/yaml.txt"
endef

SHIPPED := $(wildcard patchbay*.json patchbay*.toml)
UV ?= uv
FOR ?= lambda
OWN := $(filter-out patchbay.example.yaml,$(wildcard patchbay*.yaml))
FOR_lambda := --python-platform aarch64-manylinux_2_28 --python-version 3.13 --only-binary :all:
PYTHON_lambda := --python 3.13
HERE_lambda := --python-version 3.13
HERE_host := --python $(BIN)/python
PYTHON_host := --python $(BIN)/python
FOR_host := --python $(BIN)/python
# Function's name in template.yaml → its folder.
FN_Chat := chat
FN_Embed := embed
FN_Translate := translate
FN_Transcribe := transcribe
FN_Speak := speak
FN_Catalog := catalog

clean:  ## remove the virtual environment and caches; state in .patchbay stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Patchbay needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# All install the same package; invoke and tests add what they need on top.
$(VENV)/.run: infra/local/requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r infra/local/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.invoke: infra/local/requirements-invoke.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r infra/local/requirements-invoke.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run

$(VENV)/.test: tests/requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run $(VENV)/.invoke
