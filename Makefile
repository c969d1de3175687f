# Everything a reader or author of the book does, from one place. `make` alone lists it.
# Nothing here changes a tracked file, except `make refresh`, `make results`, `make lock` and
# `make repository`.

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# The pages need a small part of what the tests need, so the environment grows in two steps.
BOOK_READY := $(VENV)/.ready-book
READY := $(VENV)/.ready-dev
HTML := _build/html/index.html

# Colab's Python is 3.13, its list of packages fits 3.11 and newer. pyenv hides a Python that is
# not chosen, so it is asked for the path.
COLAB := .venv-colab
COLAB_PYTHON = $(shell \
  hidden="$$(pyenv prefix "$$(pyenv latest 3.13 2>/dev/null)" 2>/dev/null)/bin/python3.13"; \
  for name in python3.13 "$$hidden" python3.12 python3; do \
    "$$name" -c "" 2>/dev/null && echo "$$name" && break; \
  done)

# The same in every run: hashing of strings, figures drawn without a screen.
export PYTHONHASHSEED := 0
.DEFAULT_GOAL := help
.PHONY: help setup book test check colab links mutants data browser refresh results lock serve
.PHONY: repository handout clean

help:  ## list the commands
	@echo "GoogLeNet, from the Inside"
	@echo
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' \
	  | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: $(READY)  ## create .venv with everything the book and its tests need

# An old Python cannot even read the tools, so the shell asks for its version.
define CHECK_PYTHON
@"$(1)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "Python 3.11 or newer is needed, but '$(1) --version' says: $$("$(1)" --version 2>&1 | head -n 1). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
endef

# One mark for each group of pyproject.toml. It is written last: an interrupted installation has
# none and is finished by the next run.
$(VENV)/.ready-%: pyproject.toml uv.lock
	$(call CHECK_PYTHON,$(PYTHON))
	@rm -f $@
	@"$(PYTHON)" tools/set_up.py $(VENV) $*
	@touch $@

$(READY): $(BOOK_READY)

# Always from nothing: an incremental build hides the warnings of pages it does not read again.
book: $(BOOK_READY)  ## build the book from nothing, warnings as errors
	@rm -rf _build
	$(BIN)/jupyter-book build . -W -n --keep-going --quiet
	@echo
	@echo "The book is ready: open $(HTML) in a browser, or run: make serve"

# One thread a process: two workers with two threads each would fight for two cores, and the
# chapters would take many times as long. Chapter 7 asks for two all the same; threads that wait
# give their core to the other worker then (20 seconds instead of 170).
test colab: export OMP_NUM_THREADS := 1
test colab: export OMP_WAIT_POLICY := PASSIVE
# One run for tests and chapters, so that all workers are busy to the end. The longest files start
# first (tests/conftest.py); xdist's own order would undo that.
test: check data browser  ## check, run all tests, execute all notebooks and compare
	$(BIN)/python -m pytest --doctest-modules gnet_lib tests $(wildcard book/*.ipynb) \
	  --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=30

check: $(READY)  ## read the code without running it: style, types, who imports whom, workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/pydoclint gnet_lib
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet .github/workflows

colab: $(COLAB)/.ready  ## run every chapter as Colab does, with Colab's versions (NOTEBOOK=...: only that one)
	@$(COLAB)/bin/python tools/colab.py --workers $(WORKERS) $(NOTEBOOK)

$(COLAB)/.ready: requirements-colab.txt
	$(call CHECK_PYTHON,$(COLAB_PYTHON))
	@rm -f $@
	@"$(COLAB_PYTHON)" tools/set_up.py $(COLAB) -r requirements-colab.txt
	@touch $@

mutants: $(READY) $(VENV)/.ready-mutants data  ## change the library in small places and see whether a test notices (COUNT, SEED, for an hour)
	$(BIN)/python tools/mutants.py $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED)) --workers $(WORKERS)

links: $(BOOK_READY)  ## ask every address that the book links to whether it is still there
	$(BIN)/jupyter-book build . --builder linkcheck --keep-going --quiet

data: $(READY)  ## find Fashion-MNIST, or fetch it
	@$(BIN)/python tools/fetch.py data

browser: $(READY)  ## find Chromium or Chrome for the tests of pages, or fetch it
	@$(BIN)/python tools/fetch.py browser

refresh: $(READY)  ## execute notebooks in place and tidy them (NOTEBOOK=book/...ipynb: only that one)
	@$(BIN)/python tools/refresh.py $(NOTEBOOK)

results: data  ## make the recorded results again, for hours (ONLY=fair: only that one)
	@$(BIN)/python benchmarks/record_all.py $(ONLY)

# The second file is for pip, and for services that read no other.
lock: $(BOOK_READY)  ## lock the versions of pyproject.toml and all they need (UPGRADE=1: the newest)
	$(BIN)/uv lock --default-index https://pypi.org/simple $(if $(UPGRADE),--upgrade)
	$(BIN)/uv export --quiet --frozen --no-default-groups --group test --no-emit-project \
	  --no-hashes --no-annotate --output-file requirements.txt

serve:  ## show the built book at http://127.0.0.1:8000 (PORT=...: another port)
	@test -f $(HTML) || { echo "There is no built book yet. Run first: make book"; exit 1; }
	@"$(PYTHON)" -m http.server --directory $(dir $(HTML)) --bind 127.0.0.1 $(PORT)

# Whoever writes KEEP_OUTPUTS=0 means no.
wanted = $(filter-out 0 no No NO false False FALSE off,$(1))

handout: $(BOOK_READY)  ## copy the chapters for a class, without solutions (CHAPTERS="1 5b", OUT, GRADER, KEEP_OUTPUTS, HIDE_ANSWERS: see For teachers)
	@$(if $(CHAPTER),$(error the chapters are named by CHAPTERS, with an S: make handout CHAPTERS="$(CHAPTER)"))
	@$(BIN)/python tools/hand_out.py $(CHAPTERS) $(if $(OUT),--out "$(OUT)") \
	  $(if $(call wanted,$(KEEP_OUTPUTS)),--keep-outputs) $(if $(call wanted,$(HIDE_ANSWERS)),--hide-answers) \
	  $(if $(GRADER),--grader "$(GRADER)")

repository: $(BOOK_READY)  ## write the public repository's address everywhere (REPO=owner/name)
	@$(BIN)/python tools/repository.py $(REPO)

clean:  ## delete the built book and the environments
	rm -rf _build $(VENV) $(COLAB) build *.egg-info .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
