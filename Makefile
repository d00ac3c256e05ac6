# `make help` lists the targets. Everything runs in .venv, which `make setup` creates.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SOURCES := setup.py eiosniff tests captures
COMPILED := build/compiled
TESTED := build/.tested

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-compiled fuzz check lint types docs docs-check golden score compiled wheel bench \
        bench-scale bench-live captures cov fmt clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## create the environment and install eiosniff with its development tools

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: setup ## print the report of a bundled recording
	@$(BIN)/eiosniff demo --fail-on never

# With real peers one after the other, and nothing beside: they tell how late something is told.
test: setup ## run the tests (what needs root, tshark and the like skips where it is missing, and says so)
	$(BIN)/python -m pytest -n auto -rs --ignore=tests/live
	$(BIN)/python -m pytest -rs tests/live
	@mkdir -p $(dir $(TESTED)) && touch $(TESTED)

# Of what has not changed since, the tests have been run.
$(TESTED): $(VENV)/.installed $(shell find eiosniff tests captures docs -type f -not -name '*.pyc') README.md
	$(MAKE) test

compiled: $(COMPILED)/.built ## a copy with the decoders compiled, as wheels have them (needs a C compiler)

# In a copy: what is compiled here would hide the sources from whoever changes them.
$(COMPILED)/.built: $(VENV)/.installed $(shell find eiosniff tests captures docs -name '*.py' -o -name '*.toml') setup.py setup.cfg
	rm -rf $(COMPILED)
	mkdir -p $(COMPILED)
	cp -r eiosniff tests captures docs setup.py setup.cfg pyproject.toml README.md LICENSE Makefile $(COMPILED)
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python setup.py --quiet build_ext --inplace
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -c "import eiosniff.decode.stack as s; assert not s.__file__.endswith('.py')"
	@touch $@

wheel: compiled ## a wheel of that copy, in dist/
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python setup.py --quiet bdist_wheel --dist-dir $(CURDIR)/dist

# What tshark says was compared with the same results before: that they are the same, tests/golden sees to. Nor is what
# is not compiled tested again: the command line, reading of captures, what is around live.
UNCOMPILED := tests/cli tests/live tests/unit/bench tests/unit/capture tests/unit/live tests/unit/knowledge
test-compiled: compiled ## the tests on that copy, but for those that take the decoders apart or ask tshark
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m pytest -n auto -rs -m "not interpreted and not interop" $(UNCOMPILED:%=--ignore=%)

# Random, where `make test` takes the same examples each time. What failed is tried first the next time (.hypothesis).
SEED := $(shell date +%s)
fuzz: setup ## all property tests with 2,000 new examples each (up to an hour); run it after changing decoders
	@echo "To have the same examples again: make fuzz SEED=$(SEED)"
	EIOSNIFF_HYPOTHESIS=deep $(BIN)/python -m pytest -n auto -rs --hypothesis-seed=$(SEED) \
	    $$(grep -rl --include='test_*.py' 'from hypothesis import' tests) \
	    || { echo "To have the same examples again: make fuzz SEED=$(SEED)"; exit 1; }

check: setup lint types docs-check $(TESTED) ## all that must hold before a commit (tests only if anything changed)

lint: setup ## ruff and the import contracts
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports --config setup.cfg

types: setup ## mypy --strict
	$(BIN)/mypy eiosniff docs tests/cases.py tests/rules tests/contract tests/recorded tests/golden tests/accuracy tests/matrix.py tests/bench
	MYPYPATH=captures/recorded:captures/recorded/peers:. $(BIN)/mypy --explicit-package-bases captures/recorded/*.py \
	    tests/live

fmt: setup ## format, and mend what ruff can mend
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

docs: setup ## regenerate docs/rules and the index of recordings
	$(BIN)/python -m docs.generate

docs-check: setup ## fail if a generated file is stale
	$(BIN)/python -m docs.generate --check

golden: setup ## write anew what eiosniff is to make of each recording (tests/golden); git shows what changed
	$(BIN)/python -m tests.golden

score: setup ## how often the rules are right on all recordings; writes docs/accuracy.md
	$(BIN)/python -m tests.accuracy

bench: compiled ## time and memory of eiosniff and tshark on captures of a million packets, and the time to start
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench start

bench-scale: compiled ## whether time and memory stay in bounds: three times the packets, 10 GB, ten million messages
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench scale --full
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench stream
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench handshakes
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench messages

bench-live: compiled ## what `eiosniff live` loses at 100,000 packets/s, how late it tells, its memory over 24 hours (root)
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench live
	cd $(COMPILED) && $(CURDIR)/$(BIN)/python -m tests.bench live-flat

RECORDERS := healthy carriers faulty variants legacy libraries matrix proxied encrypted opaque tls decrypted \
             decrypted_tshark http2 webtransport har two_sides
# SUITES=FOLDER: a clone of https://github.com/socketio/socket.io, for the protocol test suites in it.
captures: setup ## record all captures anew (needs root, node, npm, chromium and more: see the scripts)
	set -e; for each in $(RECORDERS); do $(BIN)/python captures/recorded/record_$$each.py all; done
	$(if $(SUITES),$(BIN)/python captures/recorded/record_suites.py all --suites $(SUITES))

cov: setup ## branch coverage
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

clean: ## remove what make created
	rm -rf $(VENV) build dist bench *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
