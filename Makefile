# One word per task; `make` alone lists them. Each target sets up what it needs, once.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
PYTHON ?=
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.setup-done
TORCH := torch==2.13.0
TORCH_DIR := .venvs/torch
TORCH_STAMP := $(TORCH_DIR)/.setup-done
# The one that Python 3.11 brings along takes three times as long to choose packages.
PIP := pip==26.3

CODE := tinker_ext codegen conformance tests scripts benchmarks
RULES := tests/unit/rules
CONFORMANCE := tests/conformance
PIP_OPTIONS := --quiet --disable-pip-version-check --no-input

# Where the shell asks Python to keep no byte code, each of the many processes that tests start would
# compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-rules test-conformance test-others test-torch check generate check-generated spec check-spec diff watch portable typescript port docs interop traffic names servers benchmark soak pins clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## a virtual environment in .venv, from pinned versions

demo: $(STAMP)  ## fine-tune for real, sample before and after, draw the loss curve
	@$(RUN) scripts/demo.py

test: test-rules test-conformance test-others  ## the tests; every branch of the rules must be covered

# The rules' own tests reach every branch of them. Only these are traced, which would make the others
# take half as long again.
test-rules: $(STAMP)
	@$(RUN) -m pytest $(RULES) --cov=tinker_ext.rules --cov-branch \
	    --cov-report=term-missing:skip-covered --cov-fail-under=100

test-conformance: $(STAMP)
	@$(RUN) -m pytest $(CONFORMANCE)

test-others: $(STAMP)
	@$(RUN) -m pytest -m "not interop" --ignore=$(RULES) --ignore=$(CONFORMANCE)

test-torch: $(TORCH_STAMP)  ## the tests that need torch, which is no dependency: 878 MB on disk
	@PYTHONPATH=$(TORCH_DIR) $(RUN) -m pytest -q tests/unit/types/test_torch.py tests/runtime/test_custom_loss_torch.py \
	    tests/runtime/test_loss_handles.py
	@$(RUN) -m pytest -q tests/interop/test_parity.py

check: $(STAMP)  ## format, lint, types, import rules, drift of what is produced; changes no file
	@$(RUN) -m ruff format --check --quiet .
	@$(RUN) -m ruff check --quiet .
	@$(RUN) -m mypy $(CODE)
	@$(VENV)/bin/lint-imports --no-logo
	@$(MAKE) --no-print-directory check-spec check-generated

generate: $(STAMP)  ## make generated/ from openapi/tinker.yaml
	@$(RUN) scripts/generate.py

check-generated: $(STAMP)  ## fail if generated/ is not what openapi/tinker.yaml gives
	@$(RUN) scripts/check_generated.py

spec: $(STAMP)  ## make openapi/ from the official wheels and the overlay; RELEASE=0.38.0 keeps one more
	@$(RUN) scripts/spec.py $(RELEASE)
	@$(RUN) scripts/protobuf.py rebuild

check-spec: $(STAMP)  ## fail if openapi/ is not what the wheel and the overlay give
	@$(RUN) scripts/check_spec.py
	@$(RUN) scripts/protobuf.py check

diff: $(STAMP)  ## what changed between releases, FROM=0.4.1 TO=0.38.0; fails if something breaks
	@$(RUN) scripts/diff.py $(FROM) $(TO)

watch: $(STAMP)  ## whether PyPI has a newer release than the kept ones, and what it would change
	@$(RUN) scripts/watch.py

portable: $(STAMP)  ## lint the specification, and try it in TypeScript and as OpenAPI 3.0; needs npm
	@$(RUN) scripts/export_spec.py lint typescript openapi30

typescript: $(STAMP)  ## types and a client in TypeScript, in dist/openapi; needs npm
	@$(RUN) scripts/export_spec.py typescript

port: $(STAMP)  ## the client in TypeScript, held to the vectors and to a strict server; needs npm
	@$(RUN) scripts/check_typescript.py

docs: $(STAMP)  ## the API reference as one HTML page, in dist/openapi; needs npm
	@$(RUN) scripts/export_spec.py docs

benchmark: $(STAMP)  ## this client beside the official SDKs 0.4.1 and 0.38.0, in one run
	@$(RUN) benchmarks/compare.py

soak: $(STAMP)  ## 20,000 samples and 500 training steps among faults (ten minutes)
	@$(RUN) benchmarks/soak.py

interop: $(STAMP)  ## run the official SDKs, each in its own environment, and hold them to the specification
	@$(RUN) -m pytest -m interop tests/interop
	@$(MAKE) --no-print-directory portable port

traffic: $(STAMP)  ## write openapi/traffic.json: which operations the official SDKs have confirmed
	@$(RUN) scripts/record_traffic.py

names: $(STAMP)  ## write tests/official_names: the public names of the official SDKs
	@$(RUN) scripts/record_official_names.py

servers: $(STAMP)  ## take this client and the official ones through servers, and write docs/servers.md
	@$(RUN) scripts/servers.py $(ONLY)

pins: $(STAMP)  ## write constraints.txt from what .venv holds
	@{ sed -n '/^#/p' constraints.txt; $(RUN) -m pip freeze --exclude-editable; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove .venv and everything made by the other targets
	rm -rf $(VENV) .venvs .cache demo-output .mypy_cache .ruff_cache .pytest_cache .coverage dist \
	    scripts/node/node_modules ports/typescript/node_modules ports/typescript/dist \
	    ports/typescript/src/generated

# The stamp is newer than the pins and the project file, or the environment is brought up to date.
$(STAMP): pyproject.toml constraints.txt | $(RUN)
	@echo "Installing pinned packages into $(VENV) (a minute or two the first time)"
	@$(RUN) -m pip --version > /dev/null 2>&1 || $(RUN) -m ensurepip --upgrade > /dev/null
	@$(RUN) -m pip install $(PIP_OPTIONS) $(PIP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --constraint constraints.txt --editable '.[embedded,dev]'
	@touch $@

# Beside the environment and not in it, so that the other tests show that nothing needs torch.
$(TORCH_STAMP): | $(STAMP)
	@$(RUN) -m pip install $(PIP_OPTIONS) --target $(TORCH_DIR) $(TORCH)
	@touch $@

$(RUN):
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; \
	    then exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "No Python 3.11 or newer with its venv module was found. Install one (on Debian or Ubuntu:" \
	     "apt install python3 python3-venv) or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1
