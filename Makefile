# One vocabulary for people, hooks and CI. Every verb installs what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint fmt bench docs clean lock up down logs containers

export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
export UV_NO_PROGRESS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := 1
export HF_HUB_DISABLE_TELEMETRY := 1

UV_VERSION := 0.13.9
UV := .tools/uv/bin/uv
BIN := .venv/bin
WORKERS := 2
COMPOSE = $(shell if docker compose version >/dev/null 2>&1; then echo docker compose; else echo podman-compose; fi)

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: .venv/.core ## ingest the sample, train, and serve on http://127.0.0.1:8000
	@$(BIN)/bellwether demo

test: .venv/.dev ## everything but the slow ladder, real services included
	@bash .ci/browser
	@bash .ci/services
	@$(BIN)/pytest -n $(WORKERS) -m "not slow"

test-slow: .venv/.dev ## the slow ladder: kills under load, long replays
	@bash .ci/services
	@$(BIN)/pytest -m slow

lint: .venv/.dev ## style, types, floors, dependencies, locks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/deptry .

fmt: .venv/.dev ## format, and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.dev ## measure; peers are installed in environments of their own
	@$(BIN)/python benchmarks/run.py

docs: .venv/.dev ## run the examples in docs and docstrings
	@$(BIN)/pytest --doctest-modules src --ignore=src/bellwether/database/migrations --doctest-glob='*.md' docs README.md

lock: $(UV) ## resolve afresh and export the hashed locks
	@$(UV) lock --quiet
	@$(UV) export --quiet --no-header --no-emit-project --no-dev --group build -o requirements/core.txt
	@$(UV) export --quiet --no-header --no-emit-project --no-dev --group build --extra finbert -o requirements/finbert.txt
	@$(UV) export --quiet --no-header --no-emit-project --group build --group dev -o requirements/dev.txt
	@$(UV) export --quiet --no-header --no-emit-project --only-group servers -o requirements/servers.txt
	@$(UV) export --quiet --no-header --no-emit-project --only-group mlflow-server -o requirements/mlflow.txt

up: ## build the images and start everything on this host, on http://127.0.0.1:8000
	@bash docker/secrets.sh
	@$(COMPOSE) up --build --detach

down: ## stop what `up` started; its data stays
	@$(COMPOSE) down

logs: ## follow what the containers say
	@$(COMPOSE) logs --follow --tail 100

containers: .venv/.dev ## run the compose file for real, with Podman, as root
	@bash .ci/containers

clean: ## remove what make built; BELLWETHER_HOME stays
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist benchmarks/out

$(UV):
	@bash .ci/bootstrap-uv $(UV_VERSION)

.venv/.core: requirements/core.txt pyproject.toml | $(UV)
	@bash .ci/install core
	@touch $@

.venv/.dev: requirements/dev.txt pyproject.toml | $(UV)
	@bash .ci/install dev
	@touch .venv/.core $@
