"""What a result's tags say of the run that made it, and of its bands."""

import hashlib
import json

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasters import drawn, grid, save

from panflow import registry
from panflow.scene.sharpen import sharpen_file


@pytest.fixture
def files(tmp_path):
    pan, ms, _ = drawn()
    paths = save(tmp_path / "pan.tif", pan, grid()), save(tmp_path / "ms.tif", ms, grid(2.0))
    with rasterio.open(paths[1], "r+") as dataset:
        dataset.update_tags(ns="IMD", SATID="IK02", CLOUDCOVER="0.1", ACQUISITION_TIME="10:11")
        dataset.update_tags(1, CALIBRATION="7.3", STATISTICS_MEAN="1", PANFLOW_MTF_GAIN="0.3")
        dataset.update_tags(2, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.555")
    return paths


def tags_of(out, band=0, ns=None):
    with rasterio.open(out) as dataset:
        return dataset.tags(band, ns=ns)


@pytest.mark.parametrize("name", ["out.tif", "out.tiff"])
@pytest.mark.parametrize("format", ["cog", "gtiff"])
def test_what_how_when_and_how_well(files, tmp_path, monkeypatch, name, format):
    from panflow.files.sink import Profile

    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    report = sharpen_file(*files, tmp_path / name, method="gsa", register="off", profile=Profile(format=format))
    tags = tags_of(tmp_path / name)
    assert json.loads(tags["PANFLOW_OPTIONS"]) == {
        "register": "off", "mtf": "auto", "arithmetic": "standard", "units": "counts",
    }  # fmt: skip
    assert tags["TIFFTAG_DATETIME"] == "1970:01:02 00:00:00"
    assert tags["PANFLOW_VERDICT"] == "good" and "PANFLOW_REASONS" not in tags
    assert tags["PANFLOW_INPUT_BYTES"] == "; ".join(f"{p.name} {p.stat().st_size}" for p in files)
    kept, whole = json.loads(tags["PANFLOW_REPORT"]), report.as_dict()
    assert kept == {k: whole[k] for k in kept} and {"shift_pixels", "clipped_pixels", "warnings"} < kept.keys()
    assert not {"PANFLOW_INPUT_SHA256", "PANFLOW_MODEL_SHA256"} & tags.keys()


def test_hashes(files, tmp_path):
    sharpen_file(*files, tmp_path / "out.tif", hash_inputs=True)
    tags = tags_of(tmp_path / "out.tif")
    sums = "; ".join(f"{p.name} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files)
    assert tags["PANFLOW_INPUT_SHA256"] == sums
    model = registry.path("models", "bandwise").read_bytes()
    assert tags["PANFLOW_MODEL_SHA256"] == hashlib.sha256(model).hexdigest()


def test_product_tags_are_kept_apart(files, tmp_path):
    sharpen_file(*files, tmp_path / "out.tif", method="brovey")
    tags = tags_of(tmp_path / "out.tif")
    assert tags["IMD_CLOUDCOVER"] == "0.1" and tags["IMD_ACQUISITION_TIME"] == "10:11"
    assert not any(":" in key for key in tags)


def test_bands_keep_their_tags_and_get_wavelengths_and_colours(files, tmp_path):
    out = tmp_path / "out.tif"
    sharpen_file(*files, out, method="brovey", sensor="ikonos")
    assert tags_of(out, 1) == {"CALIBRATION": "7.3"}
    assert tags_of(out, 2, "IMAGERY") == {"CENTRAL_WAVELENGTH_UM": "0.555"}
    assert float(tags_of(out, 4, "IMAGERY")["CENTRAL_WAVELENGTH_UM"]) == pytest.approx(0.8, abs=0.06)
    with rasterio.open(out) as dataset:
        assert [c.name for c in dataset.colorinterp] == ["blue", "green", "red", "nir"]


def test_unknown_bands_get_neither(tmp_path):
    pan, ms, _ = drawn()
    files = save(tmp_path / "pan.tif", pan, grid()), save(tmp_path / "ms.tif", np.concatenate([ms, ms[:1]]), grid(2.0))
    sharpen_file(*files, tmp_path / "out.tif", method="brovey")
    assert tags_of(tmp_path / "out.tif", 1, "IMAGERY") == {}
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert ColorInterp.nir not in dataset.colorinterp
