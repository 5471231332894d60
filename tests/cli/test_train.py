"""`panflow train` and what `panflow names -v` tells of networks."""

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import panflow
from panflow import registry
from panflow.cli.names import _row
from panflow.cli.train import command
from panflow.errors import InputError, MissingInput, UnknownName
from panflow.learned.cost import cost, paper

NAME = "regression-any-sensor"
TINY = (
    "data.sources=[]", "data.synthetic=1", 'data.synthetic_sensors=["ikonos"]', "data.synthetic_size=64",
    "data.tile=32", "data.patch=24", "data.folded=4", "augment.ratios=[4]", "validation.pairs=[]", "network.width=4",
    "network.dilations=[1]", "run.steps=2", "run.bfloat16=false",
)  # fmt: skip


def run(*arguments: str):
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def settings(*more: str) -> list[str]:
    return [part for text in (*TINY, *more) for part in ("--set", text)]


def test_trains_and_goes_on(tmp_path):
    first = run(NAME, "--out", str(tmp_path / "run"), "--device", "cpu", "--quiet", *settings())
    assert first.exit_code == 0 and first.output.strip() == str(tmp_path / "run/model.safetensors")
    before = (tmp_path / "run/losses.csv").read_text()
    assert run(NAME, "--out", str(tmp_path / "run"), "--device", "cpu", *settings()).exit_code == 0
    assert (tmp_path / "run/losses.csv").read_text() == before
    model = panflow.load(tmp_path / "run/model.safetensors", device="auto")
    assert model.info["step"] == 2 and model.info["training"]["run"]["steps"] == 2
    assert json.loads((tmp_path / "run/recipe.json").read_text())["network"]["width"] == 4


def test_a_dry_run_prints_the_resolved_recipe(tmp_path):
    told = run(NAME, "--dry-run", *settings())
    values = tomllib.loads(told.output)
    assert values["run"]["steps"] == 2 and values["optimiser"]["factor"] == 0.5
    (tmp_path / "again.toml").write_text(told.output)
    assert tomllib.loads(run(str(tmp_path / "again.toml"), "--dry-run").output) == values


def test_data_is_the_folder_of_all_images(tmp_path):
    values = tomllib.loads(run(NAME, "--dry-run", "--data", str(tmp_path)).output)
    assert values["data"]["root"] == str(tmp_path) and values["validation"]["root"] == ""
    with pytest.raises(MissingInput, match="give --data"):
        run("pnn", "--out", str(tmp_path / "run"), "--data", str(tmp_path))
    where = tmp_path / "worldview2-rotterdam-3/pan.tif"  # a held pair, looked for below the same folder
    with pytest.raises(MissingInput, match=str(where)):
        run(NAME, "--out", str(tmp_path / "run"), "--data", str(tmp_path), "--set", "data.sources=[]",
            "--set", "data.synthetic=1", "--set", "data.synthetic_size=64", "--set", "data.tile=32")  # fmt: skip


def test_typos_are_told_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownName, match="no key in run: 'stepps': did you mean 'steps'"):
        run(NAME, "--out", str(tmp_path / "run"), "--set", "run.stepps=2")
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        run(NAME, "--dry-run", "--set", "network.widht=2")
    with pytest.raises(UnknownName, match="did you mean 'width'"):
        run(NAME, "--out", str(tmp_path / "run"), *settings("network.widht=2"))
    with pytest.raises(InputError, match="give --out"):
        run(NAME)
    assert run().exit_code == 2 and not (tmp_path / "run").exists()


def test_lists_every_bundled_recipe():
    lines = run("--list").output.splitlines()
    assert [line.split()[0] for line in lines] == list(registry.names("recipes"))
    assert all(len(line.split()) > 1 for line in lines)


SHEET = {  # parameters and 1e9 multiply-adds of public code, 4 and 8 bands
    "pnn": ((80_420, 104_360), (5.48, 7.13)),
    "pannet": ((77_640, 83_024), (5.01, 5.17)),
    "dicnn": ((42_180, 46_792), (2.76, 3.06)),
    "fusionnet": ((76_324, 78_632), (4.98, 5.13)),
    "msdcnn": ((189_852, 228_556), (12.42, 14.96)),
    "drpnn": ((418_365, 433_465), (27.40, 28.39)),
    "lagconv": ((148_457, 151_397), (8.23, 8.40)),
    "gppnn": ((119_808, 238_592), (5.59, 11.11)),
    "sfiin": ((609_628, 611_936), (36.64, 36.79)),
    "mmnet": ((51_822, 206_298), (10.54, 37.81)),
    "ddif": ((10_250_324, 10_397_208), (67.03, 69.03)),
}


@pytest.mark.parametrize("name", SHEET)
def test_costs_are_those_of_the_fact_sheet(name):
    found = [cost(name, bands) for bands in (4, 8)]
    assert tuple(each.parameters for each in found) == SHEET[name][0]
    assert tuple(each.multiply for each in found) == pytest.approx(SHEET[name][1], abs=0.006)


def test_names_tell_what_networks_cost():
    local = ["fusionnet", "76,324 / 78,632 parameters", "4.98 / 5.13 GMAC", "local, halo 10", "[fusionnet]"]
    assert _row("networks", "fusionnet") == local
    assert _row("networks", "lagconv")[3:] == ["global", "[lagconv]"]


def test_every_paper_is_in_the_references():
    known = (Path(__file__).parents[2] / "references.bib").read_text(encoding="utf-8")
    keys = {name: paper(name) for name in registry.names("networks")}
    assert keys["bandwise"] == "ours" and all(f"{{{key}," in known for key in keys.values() if key != "ours")
