# `make` alone lists the targets. Each target installs its requirements on first use.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?=
# PYTHON=/path/to/python3 selects the interpreter. Each version has its own environment in .venvs.
ifneq ($(PYTHON),)
VERSION := $(shell "$(PYTHON)" -c 'import sys, ensurepip, venv; print(*sys.version_info[:3], sep=".") \
    if sys.version_info >= (3, 11) else None' 2> /dev/null)
ifeq ($(filter 3.%,$(VERSION)),)
$(error PYTHON=$(PYTHON) is not a working Python 3.11 or newer with its venv module. \
    Found on PATH and in pyenv: $(shell scripts/interpreters.sh))
endif
VENV := .venvs/py$(VERSION)
endif
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.setup-done
TORCH := torch==2.13.0
TORCH_DIR := $(VENV)/torch
TORCH_STAMP := $(TORCH_DIR)/.setup-done
# The pip of Python 3.11 takes three times as long to resolve packages.
PIP := pip==26.3

CODE := tinker_ext codegen conformance tests scripts benchmarks
RULES := tests/unit/rules
CONFORMANCE := tests/conformance
PIP_OPTIONS := --quiet --disable-pip-version-check --no-input

# Without byte code, each of the processes that tests start would compile all its imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-all test-rules test-conformance test-others test-torch check check-prose api-diff generate check-generated spec check-spec diff watch revision oracle portable typescript port docs interop cookbook traffic names servers benchmark soak pins dist upgrade clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## create .venv from pinned versions; with PYTHON=python3.12 an environment in .venvs

demo: $(STAMP)  ## fine-tune a model, sample before and after, plot the loss curve
	@$(RUN) scripts/demo.py

test: test-rules test-conformance test-others  ## run the tests; every branch of the rules must be covered

test-all:  ## run the tests with each Python from 3.11 on that is found on PATH or in pyenv
	@pythons=$$(scripts/interpreters.sh); failed=; \
	test -n "$$pythons" || { echo "No Python 3.11 or newer was found" >&2; exit 1; }; \
	for python in $$pythons; do \
	    echo "== $$python"; \
	    $(MAKE) --no-print-directory test PYTHON="$$python" || failed="$$failed $$python"; \
	done; \
	test -z "$$failed" || { echo "The tests failed with$$failed" >&2; exit 1; }

# The tests of the rules must cover every branch. The other tests run without coverage, which would
# make them take half as long again.
test-rules: $(STAMP)
	@$(RUN) -m pytest $(RULES) --cov=tinker_ext.rules --cov=tinker_ext.protocol --cov-branch \
	    --cov-report=term-missing:skip-covered --cov-fail-under=100

test-conformance: $(STAMP)
	@$(RUN) -m pytest $(CONFORMANCE)

test-others: $(STAMP)
	@$(RUN) -m pytest -m "not interop" --ignore=$(RULES) --ignore=$(CONFORMANCE)

test-torch: $(TORCH_STAMP)  ## run the tests that need torch, which is not a dependency; installs 878 MB
	@PYTHONPATH=$(TORCH_DIR) $(RUN) -m pytest -q tests/unit/types/test_torch.py tests/runtime/test_custom_loss_torch.py \
	    tests/runtime/test_loss_handles.py
	@$(RUN) -m pytest -q tests/interop/test_parity.py

check: $(STAMP)  ## check format, lint, types, import rules, prose and generated files; changes no file
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy $(CODE)
	@$(VENV)/bin/lint-imports --no-logo
	@$(MAKE) --no-print-directory check-prose check-spec check-generated

check-prose: $(STAMP)  ## check the wording of code and documents against docs/glossary.md
	@$(RUN) scripts/check_prose.py

api-diff: $(STAMP)  ## report changes of the public interface since REF, or since the last tag
	@$(RUN) scripts/api_diff.py $(REF)

generate: $(STAMP)  ## generate generated/ from openapi/tinker.yaml
	@$(RUN) scripts/generate.py

check-generated: $(STAMP)  ## check that generated/ is up to date with openapi/tinker.yaml
	@$(RUN) scripts/check_generated.py

spec: $(STAMP)  ## build openapi/ from the official wheels and the overlay; RELEASE=0.38.0 adds a release
	@$(RUN) scripts/spec.py $(RELEASE)
	@$(RUN) scripts/protobuf.py rebuild

check-spec: $(STAMP)  ## check that openapi/ is up to date with the wheels and the overlay
	@$(RUN) scripts/check_spec.py
	@$(RUN) scripts/protobuf.py check

diff: $(STAMP)  ## list the changes between releases, FROM=0.4.1 TO=0.38.0; fails on a breaking change
	@$(RUN) scripts/diff.py $(FROM) $(TO)

watch: $(STAMP)  ## report whether PyPI has a newer release, and its changes
	@$(RUN) scripts/watch.py

revision: $(STAMP)  ## publish openapi/tinker.yaml as a revision with a version and its changes
	@$(RUN) scripts/revision.py

oracle: $(STAMP)  ## compare all contracts with the official packages, write openapi/ORACLE.md (30 minutes)
	@$(RUN) scripts/oracle.py $(RELEASE)

portable: $(STAMP)  ## lint the specification, convert it to TypeScript and OpenAPI 3.0; needs npm
	@$(RUN) scripts/export_spec.py lint typescript openapi30

typescript: $(STAMP)  ## write TypeScript types and a client to dist/openapi; needs npm
	@$(RUN) scripts/export_spec.py typescript

port: $(STAMP)  ## test the TypeScript client with the vectors and a strict server; needs npm
	@$(RUN) scripts/check_typescript.py

docs: $(STAMP)  ## write the API reference as one HTML page to dist/openapi; needs npm
	@$(RUN) scripts/export_spec.py docs

dist: $(STAMP)  ## build, check and try the wheel and source distribution with each installed Python
	@$(RUN) scripts/dist.py

upgrade: $(STAMP)  ## pin newer versions, regenerate and test everything; ONLY=list prints the versions
	@$(RUN) scripts/upgrade.py $(ONLY)

benchmark: $(STAMP)  ## compare this client with the official SDKs and a floor, write docs/performance.md
	@$(RUN) -m benchmarks.compare $(OPTIONS)

soak: $(STAMP)  ## run 20,000 samples and 500 training steps with injected faults (ten minutes)
	@$(RUN) benchmarks/soak.py

interop: $(STAMP)  ## run the official SDKs in their own environments and validate their traffic
	@$(RUN) -m pytest -m interop tests/interop
	@$(MAKE) --no-print-directory portable port

traffic: $(STAMP)  ## write openapi/traffic.json: the operations that the official SDKs have confirmed
	@$(RUN) scripts/record_traffic.py

cookbook: $(STAMP)  ## run tinker-cookbook with both SDKs, COOKBOOK=0.6.1; installs 2 GB, takes half an hour
	@$(RUN) scripts/cookbook.py $(COOKBOOK)

names: $(STAMP)  ## write tests/official_names: the public names of the official SDKs
	@$(RUN) scripts/record_official_names.py

servers: $(STAMP)  ## run this client and the official ones on several servers, write docs/servers.md
	@$(RUN) scripts/servers.py $(ONLY)

pins: $(STAMP)  ## write constraints.txt from the versions in .venv
	@{ sed -n '/^#/p' constraints.txt; $(RUN) -m pip freeze --exclude-editable; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove .venv and all output of the other targets
	rm -rf $(VENV) .venvs .cache demo-output .mypy_cache .ruff_cache .pytest_cache .coverage dist \
	    scripts/node/node_modules ports/typescript/node_modules ports/typescript/dist \
	    ports/typescript/src/generated

# The environment is updated when the pins or the project file are newer than the stamp.
$(STAMP): pyproject.toml constraints.txt | $(RUN)
	@echo "Installing pinned packages into $(VENV) (a minute or two the first time)"
	@$(RUN) -m pip --version > /dev/null 2>&1 || $(RUN) -m ensurepip --upgrade > /dev/null
	@$(RUN) -m pip install $(PIP_OPTIONS) $(PIP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

# Outside site-packages, so that the other tests prove that torch is not required.
$(TORCH_STAMP): | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --target $(TORCH_DIR) $(TORCH)
	@touch $@

$(RUN):
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; \
	    then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "No Python 3.11 or newer with its venv module was found. Install one (on Debian or Ubuntu:" \
	     "apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1
