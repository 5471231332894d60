PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test test-slow test-faults lint clean

$(BIN)/panflow: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -e ".[dev,train,report]"
	touch $@

demo: $(BIN)/panflow  ## a synthetic scene, sharpened, with a picture of before and after
	mkdir -p demo
	$(BIN)/panflow synthesize demo --sensor worldview3 --size 1024 --overwrite
	$(BIN)/panflow sharpen demo/pan.tif demo/ms.tif demo/sharp.tif --sensor worldview3 --quicklook demo/quicklook.png --overwrite
	@echo "look at demo/quicklook.png"

test: $(BIN)/panflow
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(BIN)/panflow
	$(BIN)/python -m pytest -m slow

test-faults: $(BIN)/panflow  ## about ten minutes: every n-th file operation fails, and hundreds of mutated inputs
	PANFLOW_FAULTS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 tests/faults

lint: $(BIN)/panflow
	$(BIN)/ruff check src tests
	$(BIN)/mypy

clean:
	rm -rf $(VENV) demo build dist
