# make run   everything set up, the demonstration territory in a browser
# make test  everything set up, every test
PYTHON ?= python3
PY := .venv/bin/python
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup setup-test run reset test lint types contracts bench messages catalogues wheel

help:
	@echo "make run       the demonstration territory on http://127.0.0.1:8000 (PORT=8000)"
	@echo "make reset     forget the demonstration's database, files and mail"
	@echo "make test      every test (ARGS='tests/defis -k page' to choose)"
	@echo "make lint      ruff, mypy, djlint, import contracts"
	@echo "make bench     the performance table"
	@echo "make messages  collect the interface sentences into the catalogues"
	@echo "make wheel     build dist/wagtail_abonde-*.whl"

setup:
	@$(PYTHON) site/bootstrap.py run

setup-test:
	@$(PYTHON) site/bootstrap.py test

run: setup
	@$(PY) site/launch.py

reset: setup
	@$(PY) site/launch.py --reset

catalogues:
	@$(PY) site/catalogues.py compile

test: setup-test catalogues lint
	@$(PY) -m pytest -n 2 --dist loadgroup $(ARGS)

lint: setup-test
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m djlint --quiet --lint theme defis participation fundmatch site/templates
	@ABONDE_SIMULATION=1 $(PY) -m mypy
	@PYTHONPATH=site .venv/bin/lint-imports

bench: setup-test
	@$(PY) -m bench

messages: setup-test
	@$(PY) site/catalogues.py collect

wheel: setup-test catalogues
	@$(PY) -m build --wheel --no-isolation
