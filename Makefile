# Everything that is done with this repository. `make help` explains each target.
#
# A machine needs make, git and Python 3.11 with venv; the rest comes from PyPI into two folders
# that git ignores: .venv (the program) and .make (tools and caches).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3.11 python3,$(shell command -v $(name))) python3)
VIDEO ?=
PIPELINES ?= scene_detection,voice_activity
OUTPUT ?= results
ARGS ?=
SEED ?=
ONLY ?=
GPUS ?= 2
IMAGES ?= control,scene,speech,person,face,audio,voice
BASE_IMAGE ?=
IMAGE_TAG ?=
IMAGE_PREFIX ?=
FOLDER ?=

COMMA := ,
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' services/videoannotator/__init__.py)
TARGETS = $(subst $(COMMA), ,$(IMAGES))
BIN := .venv/bin
UV := .make/tools/bin/uv
SAMPLE := .make/sample/sample.mp4
# The lock file says which uv reads it.
UV_VERSION := $(shell sed -n '/^name = "uv"$$/{n;s/^version = "\(.*\)"$$/\1/p;q;}' uv.lock)
TOOLS_READY := .make/tools/uv-$(UV_VERSION)
RUN_READY := .venv/ready-to-run
DEV_READY := .venv/ready-to-develop
DOCS_READY := .make/docs/ready
INPUTS := pyproject.toml uv.lock protos/build.py $(wildcard protos/videoannotator/v1/*.proto)

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A service account may have no home; then caches live beside the tools.
ifeq ($(strip $(HOME)),)
export UV_CACHE_DIR ?= $(CURDIR)/.make/cache/uv
export PIP_CACHE_DIR ?= $(CURDIR)/.make/cache/pip
export npm_config_cache ?= $(CURDIR)/.make/cache/npm
endif

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(DEV_READY) ## install everything for working on the code into .venv
	@echo "Ready. Next: make annotate, make serve, make test."

.PHONY: annotate
annotate: export CLIP = $(if $(value VIDEO),$(value VIDEO),$(SAMPLE))
annotate: $(RUN_READY) $(if $(value VIDEO),,$(SAMPLE)) ## annotate VIDEO=clip.mp4 (or a folder) into OUTPUT=results with PIPELINES=a,b
	@exec $(BIN)/videoannotator process "$$CLIP" --pipelines "$(PIPELINES)" --output "$(OUTPUT)"

$(SAMPLE): | $(RUN_READY)
	@mkdir -p $(@D)
	@$(BIN)/python -m videoannotator.media.sample $@

.PHONY: serve
serve: $(RUN_READY) ## start api and scheduler on http://localhost:18011
	@exec $(BIN)/videoannotator serve

.PHONY: test
test: $(DEV_READY) postgresql bucket-server ## run every test; ARGS="tests/unit/store -k lease" runs some
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --maxschedchunk 1 $(ARGS)

.PHONY: test-postgresql
test-postgresql: $(DEV_READY) postgresql bucket-server ## run the tests that have a site once more, with its database on PostgreSQL
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 --maxschedchunk 1 --database postgresql $(ARGS)

.PHONY: postgresql
postgresql: ## install PostgreSQL and PgBouncer for the tests, where that is possible
	@tests/postgresql.sh

.PHONY: bucket-server
bucket-server: $(DEV_READY) ## build the S3 server for the tests, where Go is installed
	@$(BIN)/python -m tests.fakes.s3

.PHONY: test-quick
test-quick: $(DEV_READY) postgresql bucket-server ## run the tests that start and kill no processes
	@$(BIN)/python -m pytest -n logical --maxprocesses 8 -m "not slow" $(ARGS)

.PHONY: cluster
cluster: $(DEV_READY) ## bring up a Kubernetes cluster on this machine, with GPUS=2 (root on Debian, needs Go)
	@$(BIN)/python -m tests.cluster.up up --gpus $(GPUS)

.PHONY: cluster-down
cluster-down: $(DEV_READY) ## remove every trace of that cluster; what was built for it stays in .make
	@$(BIN)/python -m tests.cluster.up down

.PHONY: test-cluster
test-cluster: cluster ## run the tests that need a cluster; KUBECONFIG=… names another one than that of make
	@$(BIN)/python -m pytest $(or $(ARGS),tests/cluster)

.PHONY: fuzz
fuzz: $(DEV_READY) ## 4,000 damaged videos, 2,000 damaged requests; SEED=7 the same again, ONLY=videos:17 one of them
	@FUZZ_SEED="$(SEED)" FUZZ_ONLY="$(ONLY)" $(BIN)/python -m pytest -n 2 --maxschedchunk 1 \
	  -o 'python_files=fuzz_*.py' tests/fuzz $(ARGS)

.PHONY: test-openapi
test-openapi: export OPENAPI_EXAMPLES ?= 10
test-openapi: $(DEV_READY) ## thousands of requests made up from the OpenAPI document; OPENAPI_SEED=… repeats a run
	@$(BIN)/python -m pytest -s tests/whole/test_openapi.py

.PHONY: check
check: $(DEV_READY) ## format, lint, types, import contracts, contracts in protos, commands and reference in docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@protos/lint.sh
	$(BIN)/python -m pytest -q tests/architecture/test_docs.py
	@$(BIN)/python -m reference --check

.PHONY: lint-protos
lint-protos: ## lint protos/ with buf and compare them with those on main (needs node)
	@protos/lint.sh

.PHONY: format
format: $(DEV_READY) ## rewrite the code in the one format, and mend what can be mended by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: reference
reference: $(DEV_READY) ## write docs/reference out of the program: REST, gRPC, settings, commands, metrics, errors
	@$(BIN)/python -m reference

.PHONY: protos
protos: $(DEV_READY) ## compile protos/ into services/videoannotator/v1
	@$(BIN)/python protos/build.py

.PHONY: lock
lock: | $(TOOLS_READY) ## write uv.lock after a change of the dependencies in pyproject.toml
	@$(UV) lock --python "$(PYTHON)"

.PHONY: bench
bench: $(DEV_READY) ## measure and compare, print a table, write bench.json; PART=sampling does one part
	@$(BIN)/python -m bench $(PART)

.PHONY: images
images: ## build container images with docker or buildah; IMAGES=control,scene some, BASE_IMAGE=debootstrap without a registry
	@BASE_IMAGE="$(BASE_IMAGE)" IMAGE_TAG="$(IMAGE_TAG)" images/build.sh $(TARGETS)

.PHONY: images-save
images-save: ## write images as archives into FOLDER=.make/images
	@IMAGE_TAG="$(IMAGE_TAG)" images/save.sh "$(or $(FOLDER),.make/images)" $(TARGETS)

.PHONY: images-push
images-push: ## send images to IMAGE_PREFIX=registry.example.org/videoannotator; FOLDER=… those that were saved there
	@IMAGE_TAG="$(IMAGE_TAG)" IMAGE_PREFIX="$(IMAGE_PREFIX)" FOLDER="$(FOLDER)" images/push.sh $(TARGETS)

.PHONY: images-load
images-load: images-save ## give the node of make cluster the images
	@$(BIN)/python -m tests.cluster.up load $(foreach target,$(TARGETS),$(or $(FOLDER),.make/images)/$(target)-$(or $(IMAGE_TAG),$(VERSION)).tar)

.PHONY: images-test
images-test: $(DEV_READY) ## try what images holds that buildah built here: contents, size, read-only root
	@images/needed.sh buildah runc
	@IMAGES="$(IMAGES)" IMAGE_TAG="$(IMAGE_TAG)" $(BIN)/python -m pytest -o 'python_files=image_*.py' tests/images $(ARGS)

.PHONY: images-for-tests
images-for-tests: ## build control, scene, speech, and the images that only tests on a cluster use
	@BASE_IMAGE="$(or $(BASE_IMAGE),debootstrap)" IMAGE_TAG="$(IMAGE_TAG)" images/build.sh control scene speech
	@IMAGE_TAG="$(IMAGE_TAG)" DOCKERFILE=tests/cluster/Dockerfile images/build.sh journal control-journal

.PHONY: chart
chart: $(DEV_READY) ## check the chart: helm, Kubernetes' own schemas, alerts, rights, networks, files of values
	@tests/chart/promtool.sh >/dev/null
	@$(BIN)/python -m pytest tests/chart $(ARGS)

.PHONY: chart-golden
chart-golden: $(DEV_READY) ## render the chart's kept examples anew, after a change that is meant
	@$(BIN)/python -m tests.chart.golden

.PHONY: docs
docs: $(DOCS_READY) ## build the documentation as pages in .make/site; a broken link fails
	@.make/docs/bin/zensical build --strict --clean --config-file zensical.toml

.PHONY: clean
clean: ## remove what make made; results and storage stay
	rm -rf .venv .make .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f bench.json services/videoannotator/v1/*_pb2*
	find services tests bench protos -name __pycache__ -prune -exec rm -rf {} +

$(TOOLS_READY): uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; name one as in: make setup PYTHON=python3.11" >&2; exit 1; }
	@echo "Installing uv $(UV_VERSION) into .make/tools"
	@$(PYTHON) -m venv --clear .make/tools || \
	  { echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@.make/tools/bin/python -m pip install --quiet "uv==$(UV_VERSION)"
	@touch $@

# --inexact: what a developer has installed stays.
$(RUN_READY): $(INPUTS) | $(TOOLS_READY)
	@echo "Installing VideoAnnotator into .venv (once, and when its dependencies change)"
	@$(UV) sync --quiet --locked --python "$(PYTHON)" --extra local --no-default-groups --inexact
	@touch $@

$(DEV_READY): $(INPUTS) | $(TOOLS_READY)
	@echo "Installing VideoAnnotator and its development tools into .venv"
	@$(UV) sync --quiet --locked --python "$(PYTHON)" --extra local --group dev
	@touch $(RUN_READY) $@

# An environment of its own: no package of the program is needed, nor disturbed.
$(DOCS_READY): pyproject.toml uv.lock | $(TOOLS_READY)
	@UV_PROJECT_ENVIRONMENT=.make/docs $(UV) sync --quiet --locked --python "$(PYTHON)" --only-group docs
	@touch $@
