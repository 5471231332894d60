"""What every plan keeps to: its keys, all its recipes, and columns that have the titles of the paper's."""

import tomllib
from pathlib import Path

import pytest

from panflow import registry
from panflow.bench import plan as plans

PAPERS = Path(plans.__file__).parent / "papers"
ON_IMAGERY = sorted((Path(__file__).parents[2] / "benchmarks/plans").glob("*.toml"))


@pytest.mark.parametrize("rehearse", (False, True))
@pytest.mark.parametrize("name", [*registry.names("plans"), *ON_IMAGERY], ids=lambda name: Path(name).stem)
def test_it_holds_with_all_its_recipes(name, rehearse):
    plan = plans.load(name, rehearse=rehearse)
    assert plan.dump() == plans.load(plan).dump()
    if plan.paper:
        tables = tomllib.loads((PAPERS / f"{plan.paper}.toml").read_text(encoding="utf-8"))["tables"]
        titles = {column.label for column in plan.indices} | {"NFE", "seconds"}
        known = tables["uniform"] if plan.layout.kind == "matrix" else next(iter(tables.values()))["columns"]
        assert titles.issuperset(known)
