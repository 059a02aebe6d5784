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
SITE_STAMP := $(VENV)/.site-done
SCREENSHOTS_STAMP := $(VENV)/.screenshots-done
TORCH := torch==2.13.0
TORCH_DIR := $(VENV)/torch
TORCH_STAMP := $(TORCH_DIR)/.setup-done
METRICS := wandb==0.31.0 tensorboard==2.21.0 mlflow-skinny==3.17.2 trackio==0.43.0
METRICS_DIR := $(VENV)/metrics
METRICS_STAMP := $(METRICS_DIR)/.setup-done
# The packages that generating mutants needs. Their dependencies include another pytest.
MUTMUT := mutmut==3.8.1 libcst==1.9.0
MUTMUT_DIR := $(VENV)/mutmut
MUTMUT_STAMP := $(MUTMUT_DIR)/.setup-done
# The pip of Python 3.11 takes three times as long to resolve packages.
PIP := pip==26.3

CODE := tinker_ext codegen conformance tests scripts benchmarks examples
RULES := tests/unit/rules
CONFORMANCE := tests/conformance
PIP_OPTIONS := --quiet --disable-pip-version-check --no-input

# Without byte code, each of the processes that tests start would compile all its imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-all test-rules test-conformance test-wire test-runtime test-others test-torch check check-prose api-diff generate check-generated spec check-spec diff watch revision oracle portable portable-sample record-examples typescript port docs interop grades cookbook traffic names servers benchmark soak pins dist upgrade clean test-metrics mutants

.PHONY: site serve-site pages screenshots examples example-output

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## create .venv from pinned versions; with PYTHON=python3.12 an environment in .venvs

demo: $(STAMP)  ## fine-tune a model, sample before and after, plot the loss curve
	@$(RUN) scripts/demo.py

test: test-rules test-conformance test-wire test-runtime test-others  ## run the tests; every branch of the rules must be covered

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

test-wire test-runtime: test-%: $(STAMP)
	@$(RUN) -m pytest tests/$*

test-others: $(STAMP)
	@$(RUN) -m pytest -m "not interop" $(addprefix --ignore=,$(RULES) $(CONFORMANCE) tests/wire tests/runtime tests/documents)

test-torch: $(TORCH_STAMP)  ## run the tests that need torch, which is not a dependency; installs 878 MB
	@PYTHONPATH=$(TORCH_DIR) $(RUN) -m pytest -q tests/unit/types/test_torch.py tests/runtime/test_custom_loss_torch.py \
	    tests/runtime/test_loss_handles.py tests/unit/as_tinker/test_call_patterns.py
	@$(RUN) -m pytest -q tests/interop/test_parity.py

test-metrics: $(METRICS_STAMP)  ## run the tests of the metrics writers with the real packages; installs 500 MB
	@PYTHONPATH=$(METRICS_DIR) $(RUN) -m pytest -q tests/unit/test_metrics_tools.py

mutants: $(MUTMUT_STAMP)  ## measure how many mutants of the rules the vectors detect, write dist/mutants.txt (a few minutes)
	@PYTHONPATH=$(MUTMUT_DIR) $(RUN) scripts/mutants.py

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

portable: $(STAMP)  ## generate clients in five languages and run them; needs npm, Java, Go, Elixir (10 minutes)
	@$(RUN) scripts/portable.py

portable-sample: $(STAMP)  ## lint the specification, generate and run one client in TypeScript; needs npm
	@$(RUN) scripts/export_spec.py lint
	@$(RUN) scripts/portable.py openapi-typescript

record-examples: $(STAMP)  ## write openapi/examples.json: a request and a response of each operation
	@$(RUN) scripts/record_examples.py

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

# With --quiet, mkdocs would count no warnings, and none would be an error.
site: $(SITE_STAMP)  ## build the documentation site in dist/site; a broken link or reference is an error
	@$(RUN) -m mkdocs build

serve-site: $(SITE_STAMP)  ## show the documentation site at http://127.0.0.1:8000 and rebuild it on changes
	@$(RUN) -m mkdocs serve

pages: $(STAMP)  ## write the table of settings into docs/configuration.md
	@$(RUN) scripts/site_hooks.py

screenshots: site $(SCREENSHOTS_STAMP)  ## take screenshots of the site at desktop and phone width in dist; needs chromium
	@$(RUN) scripts/screenshots.py

examples: $(SITE_STAMP)  ## run the examples, the notebooks and the code blocks of the documents
	@$(RUN) -m pytest tests/documents

example-output: $(SITE_STAMP)  ## write the output and pictures of the examples to docs (ten minutes)
	@$(RUN) scripts/example_output.py

benchmark: $(STAMP)  ## compare this client with the official SDKs and a floor, write docs/performance.md
	@$(RUN) -m benchmarks.compare $(OPTIONS)

soak: $(STAMP)  ## run 20,000 samples and 500 training steps with injected faults (ten minutes)
	@$(RUN) benchmarks/soak.py

interop: $(STAMP)  ## run the official SDKs in their own environments and validate their traffic
	@$(RUN) -m pytest -m interop tests/interop
	@$(MAKE) --no-print-directory portable-sample port

traffic: $(STAMP)  ## write openapi/traffic.json: what traffic has confirmed; ONLY=tuft records another server
	@$(RUN) scripts/record_traffic.py $(ONLY)

grades: $(STAMP)  ## grade this project's clients and the official ones, write ports/GRADES.md
	@$(RUN) scripts/grades.py

cookbook: $(STAMP)  ## run tinker-cookbook with both SDKs, COOKBOOK=0.6.1; installs 2 GB, takes half an hour
	@$(RUN) scripts/cookbook.py $(COOKBOOK)

names: $(STAMP)  ## write tests/official_names: the public names of the official SDKs
	@$(RUN) scripts/record_official_names.py

servers: $(STAMP)  ## run this client and the official ones on several servers, write docs/servers.md
	@$(RUN) scripts/servers.py $(ONLY)

pins: $(SITE_STAMP) $(SCREENSHOTS_STAMP)  ## write constraints.txt from the versions in .venv
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

# Packages of the documentation site and of notebooks, which the other targets do not need.
$(SITE_STAMP): pyproject.toml constraints.txt | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --constraint constraints.txt --editable '.[site]'
	@touch $@

$(SCREENSHOTS_STAMP): constraints.txt | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --constraint constraints.txt playwright
	@touch $@

# Outside site-packages, so that the other tests prove that torch is not required.
$(TORCH_STAMP): | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --target $(TORCH_DIR) $(TORCH)
	@touch $@

$(METRICS_STAMP): | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --target $(METRICS_DIR) $(METRICS)
	@touch $@

$(MUTMUT_STAMP): | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --no-deps --target $(MUTMUT_DIR) $(MUTMUT)
	@touch $@

$(RUN):
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3); do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; \
	    then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "No Python 3.11 or newer with its venv module was found. Install one (on Debian or Ubuntu:" \
	     "apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1
