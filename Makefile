# Two commands on a fresh machine (Python >= 3.11, pip, make): `make book` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
JOBS ?= 2
LOCKED := pyproject.toml constraints.txt hashes.txt book/vendor.json tools/install.sh

.PHONY: help book test smoke lint types serve pdf release audit bench gpu llm lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

book: $(VENV)/.installed-book ## install what is missing, run stale chapters, build the site in _build/html
	@$(BIN)/synthcore book --jobs $(JOBS)
	@echo "The book is in _build/html/index.html: open it, or 'make serve' to read it at http://127.0.0.1:$(PORT)"

test: $(VENV)/.installed-test $(VENV)/.chromium ## lint, types, a smoke run of each notebook, then every test
	@$(MAKE) --no-print-directory -j 2 lint types smoke
	@CHROMIUM="$$(cat $(VENV)/.chromium)" OMP_NUM_THREADS=1 $(BIN)/pytest -q --numprocesses $(JOBS) --dist loadfile

smoke: $(VENV)/.installed-test ## run the notebooks at scale smoke and build the site that the tests look at
	@rm -f _build/smoke/network.log
	@OMP_NUM_THREADS=1 $(BIN)/python tools/smoke_site.py

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	@$(BIN)/mypy

serve: ## read the built book in a browser, on this machine only
	@$(BIN)/synthcore serve --port $(PORT)

pdf: $(VENV)/.installed-test $(VENV)/.chromium book ## print the book to PDF, one file per page, in _build/pdf
	@CHROMIUM="$$(cat $(VENV)/.chromium)" $(BIN)/python tools/print_book.py _build/html _build/pdf

release: book ## archives of the site (to read offline), notebooks and records, with digests, in _build/release
	@$(BIN)/synthcore release

audit: ## ask the advisory database about every locked package
	@tools/audit.sh

bench: $(VENV)/.installed-test ## time populations against loops and peers
	@$(BIN)/python -m benchmarks

gpu: $(VENV)/.installed-test ## does a GPU work here? its tests, a population and a chapter on it, in a table
	@$(BIN)/python tools/gpu.py

llm: $(VENV)/.installed-book ## add a small language model, what reads it and a server that runs it
	@tools/llm.sh $(VENV)

lock: $(VENV)/.installed-book ## resolve constraints.in anew into constraints.txt
	@tools/lock.sh

clean: ## remove what was built; the environment in .venv and downloads in .cache stay
	@rm -rf _build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/.installed-book: $(LOCKED)
	@tools/install.sh $(VENV) book && touch $@

$(VENV)/.installed-test: $(LOCKED)
	@tools/install.sh $(VENV) bench,book,test && touch $@ $(VENV)/.installed-book

$(VENV)/.chromium: tools/chromium.sh | $(VENV)/.installed-test
	@tools/chromium.sh $(BIN)/playwright > $@.part && mv $@.part $@
