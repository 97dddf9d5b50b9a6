# The two commands are `make demo` and `make test`; everything else serves them.
# They need Python >= 3.11 and make; the environment is built on first use. TORCH=cpu takes the small build of torch.

PYTHON ?= python3
TORCH ?= default
VENV ?= .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
READY := $(VENV)/.ready-$(TORCH)
GPU_WHEELS := ^(torch|triton|nvidia-[a-z0-9-]*)==
OUT ?= demo
WORKERS ?= 2
# 2: two sessions, each on a cluster of its own; one that is given (CLSP_TEST_KUBECONTEXT) takes a single session.
CLUSTER_WORKERS ?= $(if $(CLSP_TEST_KUBECONTEXT)$(CLSP_TEST_CLUSTER),0,2)
TESTS ?= tests/cluster
NAME ?= dev
NODES ?= 1
DEMO ?=
ROLES ?=
BASE ?=
REGISTRY ?= docker.io
IMAGES ?=

export PYTHONHASHSEED := 0
unexport PYTHONDONTWRITEBYTECODE  # tests start hundreds of processes, which would each compile all they load

.PHONY: help setup vllm-tools demo test test-fast test-cluster cluster-up cluster-down cluster-packages cluster-tools check compile format lock image-locks images chart clean

help:  ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## Build the environment from the lock file

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python >= 3.11 is needed: make PYTHON=python3.11" >&2; exit 1; }
	@echo "building the environment in $(VENV) (once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
ifeq ($(TORCH),cpu)
	@grep -vE '$(GPU_WHEELS)' requirements.lock > $(VENV)/requirements.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --compile-bytecode -r $(VENV)/requirements.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --compile-bytecode --torch-backend cpu "$$(grep '^torch==' requirements.lock)"
else
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --compile-bytecode -r requirements.lock
endif
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

vllm-tools: $(READY)  ## Install vLLM for a CPU outside the checkout, for the tests that ask a real one (1.1 GB)
	@PYTHONPATH=. $(BIN)/python -m tests.vllm.packages > /dev/null

demo: $(READY)  ## Run the whole flow on this machine's CPU, tiny (OUT=folder, DEMO="--audio recordings/")
	@$(BIN)/clsp demo --out $(OUT) $(DEMO)

test: $(READY)  ## Run every test
	@$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder --durations=15 -m "not cluster"

test-fast: $(READY)  ## Run the tests that take less than ten seconds
	@$(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder -m "not slow and not cluster"

test-cluster: $(READY) cluster-tools  ## Run the tests on a real Kubernetes (CLSP_TEST_KUBECONTEXT=name: on yours)
	@$(BIN)/python -m pytest -n $(CLUSTER_WORKERS) --no-loadscope-reorder -rs --durations=15 --timeout 900 -m cluster $(TESTS)

cluster-up: $(READY) cluster-tools  ## Boot a cluster with the operators and leave it running (NAME=dev NODES=1)
	@$(BIN)/python -m tests.cluster up --name $(NAME) --nodes $(NODES)

cluster-down: $(READY)  ## End the cluster of that NAME and remove what crashed ones left
	@$(BIN)/python -m tests.cluster down --name $(NAME)

cluster-packages:  ## Install the Debian packages that a node needs, where they are missing
	@PYTHONPATH=. $(PYTHON) -m tests.cluster.harness.packages

cluster-tools: $(READY) $(if $(CLSP_TEST_KUBECONTEXT),,cluster-packages)  ## Build the cluster's programs, where they are missing
	@$(if $(CLSP_TEST_KUBECONTEXT),true,$(BIN)/python -m tests.cluster.tools > /dev/null)

check: $(READY)  ## Format, lint, types, layers, and whether the compiled flows are up to date
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --num-workers=$(WORKERS)
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m pipelines.chart --check
	@$(BIN)/python -m pipelines.compile --check

compile: $(READY)  ## Compile the flows to pipelines/compiled, for any KFP >= 2.17
	@$(BIN)/python -m pipelines.compile

format: $(READY)  ## Format and mend what a tool can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(READY)  ## Resolve requirements.in again into requirements.lock
	@$(BIN)/uv pip compile --quiet --python-version 3.11 --no-annotate --no-header --upgrade requirements.in -o requirements.lock

image-locks: $(READY)  ## Write the part of requirements.lock that each image needs
	@$(BIN)/python -m pipelines.images lock

images: $(READY)  ## Build the images with docker, podman or buildah (ROLES="step trainer", BASE=image|debootstrap, TORCH=cpu, REGISTRY=host/team)
	@$(BIN)/python -m pipelines.images build $(ROLES) --base "$(BASE)" --torch $(TORCH) --registry $(REGISTRY) $(IMAGES)

chart: $(READY)  ## Write what is generated for the Helm chart
	@$(BIN)/python -m pipelines.chart

clean:  ## Remove the environment and the demo
	rm -rf $(VENV) $(OUT)
