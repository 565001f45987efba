# `make book` and `make test` do everything, set-up included, on a machine with Python 3.11 to 3.13, make and git.

PYTHON ?= python3.11 python3.12 python3.13 python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
PORT ?= 8000
ARGS ?=

PY := .venv/bin/python
TESTS = $(PY) -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder -m "not faults and not site" $(ARGS)
GRID = $(PY) -m scripts.grid --cores $(CORES)

.DEFAULT_GOAL := help
.PHONY: help setup sync book pdf test test-offline test-site test-faults test-pythons test-slurm test-kubernetes check serve medium openclipart icons heads ablation dial full bench clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/.installed  ## the packages alone, into .venv (every other target does this by itself)

.venv/.installed: requirements.lock requirements-cuda.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(PYTHON)

sync: .venv/.installed  # stops when both files of a notebook were edited
	@$(PY) -m book.make.notebooks sync

book: sync  ## run what is out of date (profile quick) and build the site in _build/html
	@$(GRID) book
	@echo "The book is in _build/html; 'make serve' shows it."

pdf: .venv/.installed  ## the book as _build/xmlib.pdf, after make book
	@$(PY) -m book.make.pdf

test: .venv/.installed  ## run the tests (ARGS="-k name" for some of them)
	@$(TESTS)

test-offline: sync  ## the same and make book, where nothing but this machine can be reached
	@scripts/offline.sh $(TESTS)
	@scripts/offline.sh $(GRID) book

test-site: .venv/.installed  ## open every page that make book built in a browser, print them as make pdf does, and look for faults
	@$(PY) -m pytest -m site tests/book $(ARGS)

test-faults: .venv/.installed  ## run the tests that kill processes, take disk and locks away, or repeat runs
	@$(PY) -m pytest -n $(CORES) --dist loadfile -m faults $(ARGS)

test-pythons: .venv/.installed  ## fast tests and three records on each Python 3.11 to 3.13 found here (PYTHONS names them)
	@$(PY) -m scripts.pythons $(PYTHONS)

test-slurm: .venv/.installed  ## three runs of the grid through a Slurm that is started here, as root
	@XMLIB_SLURM=1 scripts/cluster.sh tests/cluster/test_slurm.py $(ARGS)

test-kubernetes: .venv/.installed  ## what the grid would give to Kubernetes, held against its schema (not run on a cluster)
	@scripts/cluster.sh tests/cluster/test_kubernetes.py $(ARGS)

check: .venv/.installed  ## lint, format, types, layers, notebook pairs
	@$(PY) -m ruff check --quiet .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy
	@said=$$(.venv/bin/lint-imports --no-cache --no-logo) || { echo "$$said" >&2; exit 1; }
	@$(PY) -m book.make.notebooks check

serve: .venv/.installed  ## show the site on this machine at http://127.0.0.1:8000 (PORT=… for another port)
	@test -f _build/html/index.html || { echo "error: there is no site yet; run make book first" >&2; exit 2; }
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

medium: sync  ## the grid at half the width, to the end of its schedule, hours (ARGS=--dry-run says what is left)
	@$(GRID) medium $(ARGS)

openclipart: sync  ## the runs on Openclipart, after `.venv/bin/xm data download openclipart`
	@$(GRID) openclipart $(ARGS)

icons: sync  ## the runs on icons, after `.venv/bin/xm data download icons`
	@$(GRID) icons $(ARGS)

heads: sync  ## each loss on the CCA layer and on the learned map, emoji and Openclipart, ten seeds (an hour)
	@$(GRID) heads $(ARGS)

ablation: sync  ## the ablation of the neighbourhood terms, emoji and Openclipart (hours)
	@$(GRID) ablation $(ARGS)

dial: sync  ## neighbourhoods where picture and text say different things, Openclipart and icons (hours)
	@$(GRID) dial $(ARGS)

full: sync  ## the grid as released, days on a CPU (ARGS=--dry-run says what is left)
	@$(GRID) full $(ARGS)

bench: .venv/.installed  ## measure every claim on speed and memory, 15 minutes at most (ARGS="NAME" for some)
	@$(PY) -m benchmarks $(ARGS)

clean:  ## remove what make book generated; data, checkpoints and records stay
	@rm -rf _build book/_generated book/results book/assets/vendor book/assets/explorer/built
