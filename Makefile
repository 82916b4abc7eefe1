# SPDX-License-Identifier: Apache-2.0
# Every target does its own set-up, once: nothing but Python 3.11, g++, make and perl is needed.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/hwrnn-setup.stamp
# A package index with CPU builds of torch, if the default one offers only those with gigabytes of
# CUDA; it is asked first for torch alone.
TORCH_INDEX ?=
PYTEST_ARGS ?=
# Verilator's make must not see the job server of this one, whose pipe it cannot use.
RUN := env -u MAKELEVEL -u MFLAGS MAKEFLAGS=-j2 PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help setup demo test lint bench sweep calibrate clean

help:
	@echo "make setup   install hwrnn and its tools into $(VENV)"
	@echo "make demo    train a small LSTM, build it for two boards, prove every engine equal"
	@echo "make test    all tests; a missing tool is an error"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   speed of every engine"
	@echo "make bench-synth  size of the matrix-vector unit beside others, from yosys"
	@echo "make sweep   all random sweeps, to docs/sweeps.md; resumes where it stopped"
	@echo "make calibrate  fit the resource model to netlists of yosys; resumes where it stopped"
	@echo "make clean   remove what was built; $(VENV) stays"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@for p in "$(PYTHON)" python3.11 python3 python; do \
	  if [ -n "$$p" ] && "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then found=$$p; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "hwrnn needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 3; \
	fi; \
	[ -x $(BIN)/python ] || { echo "creating $(VENV)"; "$$found" -m venv $(VENV); }
	@echo "installing hwrnn and its tools into $(VENV) (once)"
	@[ -z "$(TORCH_INDEX)" ] || $(BIN)/python -c 'import torch' 2>/dev/null \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --retries 1 --timeout 30 \
	    --no-deps -c constraints.txt --index-url "$(TORCH_INDEX)" torch \
	  || echo "no CPU build of torch there; the default index will do"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
	  -e '.[train,sim,synth,device,report,dev]'
	@touch $@

demo: $(STAMP)
	@$(RUN) hwrnn demo

test: $(STAMP)
	@$(RUN) OMP_NUM_THREADS=1 HWRNN_REQUIRE=sim,train,synth,device python -m pytest -n 2 $(PYTEST_ARGS)

lint: $(STAMP)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache

bench: $(STAMP)
	@$(RUN) python benchmarks/bench.py

bench-synth: $(STAMP)
	@$(RUN) python benchmarks/bench_synth.py

sweep: $(STAMP)
	@$(RUN) python benchmarks/sweep.py

calibrate: $(STAMP)
	@$(RUN) OMP_NUM_THREADS=1 python benchmarks/calibrate.py

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find hwrnn tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
