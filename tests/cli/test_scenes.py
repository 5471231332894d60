"""A scene's folder serves every command that takes PAN and MS."""

import json
import sys

import pytest
import rasterio

from panflow import sensors
from panflow.__main__ import main
from panflow.data import synthetic

STEM = "LC08_L1TP_204023_20200927_20201006_02_T1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene of Landsat 8 as it is delivered, a file a band."""
    here = tmp_path_factory.mktemp("scenes")
    paths = synthetic.write(synthetic.scene(256, sensors.load("landsat8"), seed=2), here, phase=(0.5, 0.5))
    scene = here / STEM
    scene.mkdir()
    paths["pan"].rename(scene / f"{STEM}_B8.TIF")
    with rasterio.open(paths["ms"]) as dataset:
        for number in (2, 3, 4, 5):
            with rasterio.open(scene / f"{STEM}_B{number}.TIF", "w", **dataset.profile | {"count": 1}) as band:
                band.write(dataset.read(number), 1)
    return scene


def ran(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["panflow", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr()
    assert stop.value.code == 0, printed.err
    return json.loads(printed.out)


def test_every_command_takes_it(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out.tif"
    report = ran(monkeypatch, capsys, "sharpen", folder, out, "-m", "gsa", "--json")
    judged = ran(monkeypatch, capsys, "assess", out, "--scene", folder, "--json")
    apart = [
        "--pan",
        folder / f"{STEM}_B8.TIF",
        *(f for n in (2, 3, 4, 5) for f in ("--ms", folder / f"{STEM}_B{n}.TIF")),
    ]
    same = ran(monkeypatch, capsys, "assess", out, *apart, "--bands", "blue,green,red,nir", "--json")
    assert report["sensor"] == judged["sensor"] == same["sensor"] == "landsat8"
    assert judged["indices"] == same["indices"]
    words = ["--methods", "gsa,exp", "--crops", 1, "--side", 128]
    assert ran(monkeypatch, capsys, "compare", folder, *words, "--json")["sensor"] == "landsat8"
    reduced = ran(monkeypatch, capsys, "degrade", folder, tmp_path / "reduced", "--json")
    assert reduced["sensor"] == "landsat8" and (tmp_path / "reduced" / "reference.tif").exists()


def test_one_way_to_name_pan_and_ms(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["panflow", "assess", "a.tif", "--scene", str(folder), "--pan", "p.tif"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 3 and "expected one of the two" in capsys.readouterr().err
