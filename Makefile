# Best Image Models. Bare `make` lists the targets. The pipeline, in the order of the work:
#   setup → data → bench → train → figures → site
# A step is redone when its scripts, settings or inputs changed. Results of one machine never overwrite another's.

PYTHON       ?= python3
PROFILE      ?= auto
RENDERER     ?= auto
export DATA TIMM_RESULTS

PY      := .venv/bin/python
COMMON  := $(wildcard scripts/common/*.py)
RESULTS := $(wildcard report/data/*.csv report/data/*.json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help all setup data bench bench-gpu train figures site perf test clean FORCE

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo; echo "  settings: PROFILE=quick|full  DATA=folder of photos  TIMM_RESULTS=folder or URL  RENDERER=quarto|builtin  PYTHON=python3.12"

all: .venv/full.stamp  ## everything: set up, measure, train, draw, render (a sub-make per step, so that each sees the last one's files)
	@$(MAKE) --no-print-directory build/data.stamp
	@$(MAKE) --no-print-directory build/bench.stamp
	@$(MAKE) --no-print-directory build/train.stamp
	@$(MAKE) --no-print-directory build/figures.stamp
	@$(MAKE) --no-print-directory build/site.stamp
	@echo "The report: _site/index.html"

# --- setup -----------------------------------------------------------------------------------------------------------------------
setup: .venv/full.stamp  ## the packages, a Chrome and Quarto (redone only when the lock file changes)

.venv/full.stamp: requirements.lock requirements-setup.lock scripts/setup/install.py
	@$(PYTHON) scripts/setup/install.py
	@touch .venv/light.stamp $@

.venv/light.stamp: requirements-site.lock requirements-setup.lock scripts/setup/install.py
	@$(PYTHON) scripts/setup/install.py --light
	@touch $@

# --- settings: each file changes only when its setting does ------------------------------------------------------------------------
build/data.settings:  export SETTINGS = $(TIMM_RESULTS)
build/bench.settings: export SETTINGS = $(PROFILE)
build/train.settings: export SETTINGS = $(PROFILE) $(DATA)
build/site.settings:  export SETTINGS = $(RENDERER)
build/%.settings: FORCE
	@mkdir -p build
	@printf '%s\n' "$$SETTINGS" | cmp -s - $@ || printf '%s\n' "$$SETTINGS" > $@

# --- data ------------------------------------------------------------------------------------------------------------------------
data: .venv/light.stamp  ## timm's published tables: fetch, verify, join
	@rm -f build/data.stamp
	@$(MAKE) --no-print-directory build/data.stamp

build/data.stamp: build/data.settings $(COMMON) $(wildcard scripts/data/*.py) | .venv/light.stamp
	@$(PY) -m scripts.data.update
	@touch $@

# --- bench -----------------------------------------------------------------------------------------------------------------------
bench: .venv/full.stamp  ## measure models on this machine
	@rm -f build/bench.stamp
	@$(MAKE) --no-print-directory build/bench.stamp

build/bench.stamp: build/bench.settings scripts/bench/measure.py scripts/bench/sweep.py | .venv/full.stamp
	@$(PY) -m scripts.bench.sweep --profile $(PROFILE)
	@touch $@

# --- train -----------------------------------------------------------------------------------------------------------------------
train: .venv/full.stamp  ## train the networks on DATA (or the embedded digits)
	@rm -f build/train.stamp
	@$(MAKE) --no-print-directory build/train.stamp

build/train.stamp: build/train.settings scripts/train/train_models.py scripts/train/models.py scripts/train/datasets.py scripts/train/metrics.py | .venv/full.stamp
	@$(PY) -m scripts.train.train_models --profile $(PROFILE) $${DATA:+--data "$$DATA"}
	@touch $@

# --- figures ---------------------------------------------------------------------------------------------------------------------
figures: build/figures.stamp  ## draw every chart as JPG

build/figures.stamp: build/data.stamp $(COMMON) $(wildcard scripts/data/*.py scripts/figures/*.py) $(RESULTS)
	@$(PY) -m scripts.figures.export
	@touch $@

# --- site ------------------------------------------------------------------------------------------------------------------------
site: build/site.stamp  ## render the website into _site/

build/site.stamp: build/figures.stamp build/site.settings $(COMMON) $(wildcard scripts/site/*.py assets/* *.qmd report/*.qmd) _quarto.yml images/manifest.json $(RESULTS)
	@$(PY) -m scripts.site.render --renderer $(RENDERER)
	@touch $@

# --- checks ----------------------------------------------------------------------------------------------------------------------
test: .venv/full.stamp  ## the tests
	@$(PY) -m pytest

perf: .venv/full.stamp  ## the benchmarks of our own code, as ratios
	@$(PY) -m scripts.perf

clean:  ## forget what was built; keep results, downloads and packages
	rm -rf build charts _site
