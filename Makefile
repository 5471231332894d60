PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LIGHT = $(VENV)-light
WEIGHTS = src/panflow/weights
QGIS_ZIP ?= dist/panflow_qgis.zip
DATA ?= ../shared/data

SPHINX = $(BIN)/sphinx-build -W --keep-going -q -c docs/site -d build/doctrees .

.PHONY: demo docs man evidence evidence-run test test-slow test-faults test-light lint weights qgis clean

$(VENV)/base: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e .
	touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@

$(VENV)/docs: $(VENV)/base
	$(BIN)/pip install --quiet -e ".[docs]"
	touch $@

demo: $(VENV)/base  ## a synthetic scene, sharpened, with a picture of before and after
	mkdir -p demo
	$(BIN)/panflow synthesize demo --sensor worldview3 --size 1024 --overwrite
	$(BIN)/panflow sharpen demo/pan.tif demo/ms.tif demo/sharp.tif --sensor worldview3 --quicklook demo/quicklook.png --overwrite
	@echo "look at demo/quicklook.png"

test: $(VENV)/dev
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-light:  ## the wheel in an environment of its own, without torch
	rm -rf $(LIGHT)
	$(PYTHON) -m venv $(LIGHT)
	$(LIGHT)/bin/pip install --quiet . pytest
	$(LIGHT)/bin/python -m pytest tests/light

test-slow: $(VENV)/dev
	$(BIN)/python -m pytest -m slow

test-faults: $(VENV)/dev  ## about ten minutes: every n-th file operation fails, and hundreds of mutated inputs
	PANFLOW_FAULTS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/faults

lint: $(VENV)/dev
	$(BIN)/ruff check src tests
	$(BIN)/mypy

weights: $(VENV)/dev  ## the default's graph from its weights, after these have changed
	$(BIN)/panflow export bandwise $(WEIGHTS)/bandwise.onnx --any-size --overwrite

qgis:  ## the plug-in for QGIS, as a zip that its plug-in manager installs
	find integrations -name __pycache__ -exec rm -r {} +
	mkdir -p $(dir $(QGIS_ZIP))
	cd integrations/qgis && $(PYTHON) -m zipfile -c $(abspath $(QGIS_ZIP)) panflow_qgis

docs: $(VENV)/docs  ## the site, build/site/index.html: tutorials are run, links are checked, warnings are errors
	$(SPHINX) build/site
	$(BIN)/python docs/site/check.py build/site

man: $(VENV)/docs  ## the manual, build/man/panflow.1
	$(SPHINX) -b man build/man

evidence:  ## tables of docs/evidence from the lines of results.jsonl
	$(PYTHON) benchmarks/evidence.py

evidence-run: $(VENV)/dev  ## measure them anew, which takes hours: make evidence-run DATA=../shared/data PAGES=docs/evidence/mtf.md
	$(BIN)/python benchmarks/evidence.py --run --data $(DATA) $(PAGES)

clean:
	rm -rf $(VENV) $(LIGHT) demo build dist
