# Best Image Models. Bare `make` lists the targets. The pipeline, in the order of the work:
#   setup → data → bench → train → figures → site
# A step is redone when its scripts, settings or inputs changed. Results of one machine never overwrite another's.

PYTHON       ?= python3
PROFILE      ?= auto
RENDERER     ?= auto
export DATA TIMM_RESULTS TABLES BASE SITE_URL FOLDER

# Python's own variables are the user's for other programs: one of them hides this folder from `python -m`, and
# with another each import compiles its module anew.
unexport PYTHONSAFEPATH PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONSTARTUP PYTHONUSERBASE PYTHONDONTWRITEBYTECODE

# A path is taken letter by letter: make would expand a $ in it.
override DATA         := $(value DATA)
override TIMM_RESULTS := $(value TIMM_RESULTS)
override TABLES       := $(value TABLES)
override BASE         := $(value BASE)
override SITE_URL     := $(value SITE_URL)
override FOLDER       := $(value FOLDER)

# choice NAME,VALUES and number NAME: what a setting may be, said before anything runs.
choice   = $(if $(filter 1,$(words $(filter $(2),$($(1))) $(filter-out $(2),$($(1))))),\
	$(if $(filter $(2),$($(1))),,$(call wrong,$(1),$(2))),$(call wrong,$(1),$(2)))
wrong    = $(error $(1)=$($(1)): choose one of $(2))
digits   = $(subst 0,,$(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,\
	$(subst 5,,$(subst 6,,$(subst 7,,$(subst 8,,$(subst 9,,$(1)))))))))))
number   = $(if $($(1)),$(if $(filter-out 1,$(words $($(1))))$(filter-out .,$(call digits,$($(1)))),\
	$(error $(1)=$($(1)): give a number)))
$(call choice,PROFILE,auto quick full)
$(call choice,RENDERER,auto quarto builtin)
$(call number,MINUTES)
$(call number,PORT)

# auto is full where an NVIDIA GPU answers, else quick.
CHOSEN   = $(if $(filter auto,$(PROFILE)),$(if $(shell nvidia-smi -L 2>/dev/null),full,quick),$(PROFILE))

PY      := .venv/bin/python
COMMON  := $(wildcard scripts/common/*.py)
CODE    := $(COMMON) $(wildcard scripts/data/*.py scripts/predict/*.py scripts/findings/*.py)
RESULTS := $(wildcard report/data/*.csv report/data/*.json)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help all setup cloud data predict bench bench-gpu contribute choose train demo figures site quarto-version \
	diff comment verify status check-data check-site screenshots newer proposal engines perf check lint format test \
	clean FORCE

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo; echo "  settings: PROFILE=quick|full  DATA=folder of photos  TIMM_RESULTS=folder or URL  TABLES=folder or URL"
	@echo "            RENDERER=quarto|builtin  BASE=revision or folder  PYTHON=python3.12"

all: .venv/full.stamp  ## everything: set up, measure, train, draw, render, one step after the other
	@$(MAKE) --no-print-directory build/data.stamp
	@$(MAKE) --no-print-directory build/bench.stamp
	@$(MAKE) --no-print-directory build/train.stamp
	@$(MAKE) --no-print-directory build/findings.stamp
	@$(MAKE) --no-print-directory build/figures.stamp
	@$(MAKE) --no-print-directory build/site.stamp
	@echo "The report: _site/index.html"

# --- setup ------------------------------------------------------------------------------------------------------------
cloud: .venv/cloud.stamp  ## what renting machines needs (Amazon SageMaker's SDK), in .venv/cloud

setup: .venv/full.stamp  ## the packages, a Chrome and Quarto (redone only when the lock file changes)

.venv/full.stamp: requirements.lock requirements-setup.lock scripts/setup/install.py
	@$(PYTHON) scripts/setup/install.py
	@touch .venv/light.stamp $@

.venv/cloud.stamp: requirements-cloud.lock scripts/setup/install.py | .venv/light.stamp
	@$(PYTHON) scripts/setup/install.py --cloud
	@touch $@

.venv/light.stamp: requirements-site.lock requirements-setup.lock scripts/setup/install.py
	@$(PYTHON) scripts/setup/install.py --light
	@touch $@

# --- settings: each file changes only when its setting does -----------------------------------------------------------
build/data.settings:  export SETTINGS = $(TIMM_RESULTS) $(TABLES)
build/bench.settings: export SETTINGS = $(PROFILE)
build/train.settings: export SETTINGS = $(PROFILE) $(DATA)
build/site.settings:  export SETTINGS = $(RENDERER) $(SITE_URL)
build/%.settings: FORCE
	@mkdir -p build
	@printf '%s\n' "$$SETTINGS" | cmp -s - $@ || printf '%s\n' "$$SETTINGS" > $@

# --- data -------------------------------------------------------------------------------------------------------------
data: .venv/light.stamp  ## timm's published tables: fetch, verify, join
	@rm -f build/data.stamp
	@$(MAKE) --no-print-directory build/data.stamp

build/data.stamp: build/data.settings $(CODE) | .venv/light.stamp
	@$(PY) -m scripts.findings.update
	@touch $@

build/findings.stamp: build/data.stamp $(CODE) $(wildcard scripts/choose/*.py \
		$(addprefix report/data/,benchmark-*.csv promised-*.csv runtimes-infer-*.csv runtimes-answers-*.csv accuracy.csv))
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2) $(FOUND)
	@touch $@

# What is found in the tables, two at a time, the longest first; what reads another's file waits for it.
FOUND := $(addprefix found-,verdicts runtimes predicted in-runtimes picker board)
.PHONY: $(FOUND)
found-picker: found-predicted found-in-runtimes
found-verdicts: ; @$(PY) -m scripts.findings.verdicts --quiet
found-predicted: ; @$(PY) -m scripts.predict.stored
found-in-runtimes: ; @$(PY) -m scripts.predict.in_runtimes
found-board: ; @$(PY) -m scripts.contribute.board
found-runtimes: ; @$(PY) -m scripts.findings.runtimes --quiet && $(PY) -m scripts.findings.int8
found-picker: ; @mkdir -p charts && $(PY) -m scripts.choose.files --out charts/picker >/dev/null

predict: build/data.stamp  ## every model's speed on this machine from those measured: what page, picker and chart read
	@$(PY) -m scripts.predict.stored
	@$(PY) -m scripts.predict.in_runtimes

# --- bench ------------------------------------------------------------------------------------------------------------
bench: .venv/full.stamp  ## measure models on this machine, the most telling first (MINUTES=2 stops each part)
	@rm -f build/bench.stamp
	@$(MAKE) --no-print-directory build/bench.stamp

# Those that measure nothing and choose nothing that `make bench` measures:
BENCH_MODELS   = $(if $(filter full,$(CHOSEN)),key,quick)
BENCH_RUNTIMES = $(if $(filter full,$(CHOSEN)),,--runtime eager onnxruntime openvino --seconds 0.5)
BENCH_MINUTES  = $(if $(filter full,$(CHOSEN)),20,1.5)
APART := $(addprefix scripts/bench/,gpu.py contribute.py)
build/bench.stamp: build/bench.settings $(filter-out $(APART),$(wildcard scripts/bench/*.py)) | .venv/full.stamp
	@$(PY) -m scripts.bench.sweep --part infer --models design $(BENCH_MODELS) $(if $(MINUTES),--minutes $(MINUTES))
	@$(PY) -m scripts.bench.sweep --part train --models $(BENCH_MODELS) $(if $(MINUTES),--minutes $(MINUTES))
	@$(PY) -m scripts.bench.runtimes --models quick $(BENCH_RUNTIMES) --minutes $(or $(MINUTES),$(BENCH_MINUTES))
	@touch $@

bench-gpu: .venv/full.stamp  ## the report's GPU measurements: eager, compiled, repeats, training (MINUTES=9 stops)
	@$(PY) -m scripts.bench.gpu $(if $(MINUTES),--minutes $(MINUTES)) $${FOLDER:+--out "$$FOLDER"}

contribute: .venv/full.stamp  ## add this machine: look, measure, predict, compare, prepare the pull request
	@$(PY) -m scripts.contribute $(if $(MINUTES),--minutes $(MINUTES)) $(if $(FOLDER),--out "$$FOLDER")

# --- choose -----------------------------------------------------------------------------------------------------------
choose: .venv/full.stamp  ## rank pretrained networks on your own photos (DATA=photos, MINUTES=5); again goes on
	@[ -n "$$DATA" ] || { echo "choose: DATA=folder of photos is missing, one folder per class" >&2; exit 2; }
	@$(PY) -m scripts.choose "$$DATA" $(if $(MINUTES),--minutes $(MINUTES))

# --- train ------------------------------------------------------------------------------------------------------------
train: .venv/full.stamp  ## train a network for DATA and export it, in the full profile the zoo too
	@rm -f build/train.stamp
	@$(MAKE) --no-print-directory build/train.stamp

build/train.stamp: build/train.settings $(wildcard scripts/train/*.py) | .venv/full.stamp
	@if [ -z "$$DATA" ]; then $(PY) -m scripts.train.pets_export --data digits --tracker none; \
	else $(PY) -m scripts.train.pets_export --profile $(CHOSEN) --data "$$DATA"; fi
	-@$(PY) -m scripts.demo.choose_runtime
	@if [ -z "$$DATA" ] || [ $(CHOSEN) = full ]; then \
	$(PY) -m scripts.train.train_models --profile $(CHOSEN) $${DATA:+--data "$$DATA"}; fi
	@touch $@

# --- demo -------------------------------------------------------------------------------------------------------------
demo: .venv/full.stamp  ## a web app for exported models (MODEL="models/pets …" PORT=7860), on this machine only
	@$(PY) -m scripts.demo.app $(MODEL) $(if $(PORT),--port $(PORT))

# --- figures ----------------------------------------------------------------------------------------------------------
figures: build/figures.stamp  ## draw every chart as JPG

build/figures.stamp: build/findings.stamp $(CODE) $(wildcard scripts/figures/*.py) $(RESULTS)
	@$(PY) -m scripts.figures.export
	@touch $@

# --- site -------------------------------------------------------------------------------------------------------------
site: build/site.stamp  ## render the website into _site/

SITE_CODE := site/*.py site/*.html site/*/* publish/* publish/*/* pages/*.py cloud/*.py contribute/*.py bench/*.py \
	train/*.py
build/site.stamp: build/figures.stamp build/site.settings $(COMMON) _quarto.yml images/manifest.json $(RESULTS) \
		$(wildcard $(addprefix scripts/,$(SITE_CODE)) assets/* *.qmd report/*.qmd)
	@$(PY) -m scripts.site.render --renderer $(RENDERER)
	@touch $@

quarto-version:  ## the Quarto that the pages were tried with, for the publishing workflow too
	@echo "version=$$(cat .quarto-version)" | tee -a "$${GITHUB_OUTPUT:-/dev/null}"

# --- checks -----------------------------------------------------------------------------------------------------------
diff: .venv/light.stamp  ## what changed in figures and data since main (BASE=revision or folder): build/diff/index.html
	@$(PY) -m scripts.diff.compare $${BASE:+--base "$$BASE"} || [ $$? -eq 1 ]

comment:  ## the text of a pull request's comment from build/diff/diff.json
	@$(PYTHON) -m scripts.diff.comment build/diff/diff.json --out build/comment.md

verify: .venv/light.stamp build/data.stamp  ## draw every chart again and compare with the committed pictures
	@$(PY) -m scripts.diff.verify

status: .venv/light.stamp  ## results that are older than the script that makes them
	@$(PY) -m scripts.common.status

check-data: .venv/light.stamp  ## measured tables and their sidecars fit together, as CI asks of contributions
	@$(PY) -m scripts.bench.contribute
	@$(PY) -m scripts.contribute.board --check

check-site: build/site.stamp  ## the built site: links, HTML, alt text, console, accessibility; both themes and widths
	@$(PY) -m scripts.site.check.site

screenshots: build/site.stamp  ## every page as a reader sees it: build/screenshots/contact-sheet.jpg
	@$(PY) -m scripts.site.check.screenshots

newer: .venv/light.stamp  ## look for newer timm tables upstream and take them in, for review
	@$(PY) -m scripts.data.newer

proposal: .venv/light.stamp  ## text and patch of a pull request for what `newer` took in
	@$(PY) -m scripts.pages.readme
	@$(PY) -m scripts.data.newer --proposal

check: lint  ## what `make lint` looks at and the quick tests, in under a minute
	@$(PY) -m pytest -m quick -n logical --dist worksteal

lint: .venv/full.stamp  ## format, lint, the floors of the house and types
	@.venv/bin/ruff format --check --quiet || { echo "make format mends that"; exit 1; }
	@.venv/bin/ruff check --quiet
	@.venv/bin/lint-imports --verbose 2>&1 >build/lint-imports.log || { cat build/lint-imports.log; exit 1; }
	@.venv/bin/mypy

format: .venv/full.stamp  ## mend what `make check` finds and can be mended
	@.venv/bin/ruff check --fix-only --quiet
	@.venv/bin/ruff format

# worksteal: a worker keeps a file's tests together, so that what they share is made once, until another is idle.
test: .venv/full.stamp  ## the tests, on every core (those of rented machines are skipped where `make cloud` fails)
	@$(MAKE) --no-print-directory cloud || true
	@$(PY) -m pytest -n auto --dist worksteal

engines: .venv/full.stamp  ## Playwright's Firefox and WebKit, for the tests in all three engines
	@$(PY) -m playwright install --with-deps firefox webkit

perf: .venv/full.stamp  ## the benchmarks of our own code, as ratios
	@$(PY) -m scripts.perf

clean:  ## forget what was built; keep results, downloads and packages
	rm -rf build charts _site
