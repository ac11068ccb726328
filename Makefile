# `make run` shows climbtrack at work, `make test` checks it; both set themselves up. `make check` is the gate of a change.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
SITE := .cache/sample-site
OUT := runs/sample

.PHONY: run test lint check bench weights servers readme

run: .venv/.installed $(SITE)/.written
	$(BIN)/climbtrack run --port 0 --data-dir $(OUT)/data --out $(OUT) \
		$$(cd $(SITE) && for video in *.mp4; do echo "--camera $${video%.mp4}=$(SITE)/$$video"; done)
	$(BIN)/climbtrack score --truth $(SITE)/gt --result $(OUT)

test: .venv/.dev servers
	$(BIN)/python -m pytest

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint servers
	$(BIN)/python -m pytest --cov --cov-branch

bench: .venv/.dev
	$(BIN)/climbtrack bench pipeline

# The shipped weights from nothing, on generated people: four to five hours of two cores. Goes on where it was stopped.
weights: .venv/.installed
	$(BIN)/python -m training.release runs/weights

servers:
	deploy/test_servers.sh

$(SITE)/.written: | .venv/.installed
	$(BIN)/climbtrack synth site --out $(SITE) --seed 5 --seconds 40
	touch $@

# pip 25.1 is the first that knows dependency groups.
.venv/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "climbtrack needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --editable .
	touch $@

.venv/.dev: .venv/.installed
	$(BIN)/python -m pip install --group dev
	touch $@

readme: .venv/.installed
	$(BIN)/python -m deploy.readme
