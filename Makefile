# `make run` shows climbtrack at work, `make test` checks it; both set themselves up. `make check` is the gate of a change.
# TORCH=cpu make run       torch without CUDA: 2 GB on the disk instead of 7, for machines without an NVIDIA GPU
# SERVERS=no make test     do without Debian packages, and say at the end what was not tested
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
SITE := .cache/sample-site
OUT := runs/sample
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Much of the suite waits for servers; a file's tests stay together, since they share what is costly to make.
AT_ONCE := -n 2 --dist loadfile
TORCH_CPU := https://download.pytorch.org/whl/cpu

.PHONY: run test lint check bench weights servers readme helm

run: .venv/.installed $(SITE)/.written
	@rm -rf $(OUT)/data  # else the second run would be about the people of the first as well
	@echo "Following 12 generated people through three cameras of 40 s; a minute or so."
	@$(BIN)/climbtrack run --detector bundled --port 0 --data-dir $(OUT)/data --out $(OUT) \
		$$(cd $(SITE) && for video in *.mp4; do echo "--camera $${video%.mp4}=$(SITE)/$$video"; done)
	@echo
	@$(BIN)/climbtrack score --truth $(SITE)/gt --tracks $(OUT) --fps 10
	@echo
	@echo "Now your own camera: $(BIN)/climbtrack run --camera NAME=URL (a file, rtsp://..., or 0 for a webcam)"
	@echo "Or add cameras in the browser: $(BIN)/climbtrack run --keep-serving"

test: servers .venv/.dev
	@$(BIN)/python -m pytest $(AT_ONCE)

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint servers
	$(BIN)/python -m pytest $(AT_ONCE) --cov --cov-branch

bench: .venv/.dev
	$(BIN)/climbtrack bench pipeline

# The shipped weights from nothing, on generated people: four to five hours of two cores. Goes on where it was stopped.
weights: .venv/.installed
	$(BIN)/python -m training.recipes.release runs/weights

servers:
	@tests/servers/install.sh

# The tests that render the chart run where these are; helm and decode-resources are Go programs that take three minutes each
# to build, once.
helm: .cache/bin/helm .cache/bin/decode-resources .venv/.dev
	@$(BIN)/kubernetes-validate --version >/dev/null 2>&1 || $(PIP) install 'kubernetes-validate>=1.31'
	@$(BIN)/python -m pytest tests/unit/test_helm_chart.py

.cache/bin/helm:
	@command -v go >/dev/null || { echo "helm is built by Go 1.24 or newer (https://go.dev/dl), or put a helm 3 into the path"; exit 1; }
	@echo "Building helm into .cache/bin; three minutes, once."
	@GOBIN=$(CURDIR)/.cache/bin CGO_ENABLED=0 go install -trimpath -ldflags "-s -w" helm.sh/helm/v3/cmd/helm@v3.19.2

# Decodes resources of KEDA and the Prometheus Operator into their Go types.
.cache/bin/decode-resources: $(wildcard tests/servers/resources/*)
	@command -v go >/dev/null || { echo "decode-resources is built by Go 1.24 or newer (https://go.dev/dl)"; exit 1; }
	@echo "Building decode-resources into .cache/bin; three minutes, once."
	@cd tests/servers/resources && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(CURDIR)/$@ .

$(SITE)/.written: | .venv/.installed
	@echo "Generating a sample site in $(SITE): three cameras, 12 people, 40 s of video; half a minute, once."
	@$(BIN)/climbtrack synth site --out $(SITE) --seed 5 --seconds 40 >/dev/null
	@touch $@

# pip 25.1 is the first that knows dependency groups.
.venv/.installed: pyproject.toml $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "climbtrack needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "Installing climbtrack and what it needs into .venv; some minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --upgrade 'pip>=25.1'
ifeq ($(TORCH),cpu)
	@$(PIP) install --index-url $(TORCH_CPU) torch torchvision || { \
		echo "PyTorch for CPUs comes from $(TORCH_CPU)."; \
		echo "From a mirror: make $(MAKECMDGOALS) TORCH=cpu TORCH_CPU=https://...; or leave TORCH=cpu away: 5 GB more on the disk."; exit 1; }
endif
	@PYTHONWARNINGS=ignore $(PIP) install --editable .
	@touch $@

.venv/.dev: .venv/.installed
	@echo "Installing what the tests need into .venv; a minute, once."
	@$(PIP) install --group dev
	@touch $@

readme: .venv/.installed
	$(BIN)/python -m docs.tables
