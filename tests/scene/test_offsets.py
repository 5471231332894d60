"""Offsets in files: what a run was corrected by, read again to the same bits, or made by somebody else."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasters import CRS, drawn, grid, load, save, save_pair

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.errors import GeometryError, InputError, MissingInput
from panflow.files.grid import Grid
from panflow.files.offsets import read_offsets
from panflow.files.sink import Profile
from panflow.ops.displacement_field import _resampled


@pytest.fixture(scope="module")
def bent(tmp_path_factory):
    """Files of a scene whose offset changes by three PAN pixels from its left to its right."""
    pan, ms, _ = drawn(512, seed=3)
    y, x = np.meshgrid(np.arange(128.0), np.arange(128.0), indexing="ij")
    moved = _resampled(ms.astype("float32"), None, y + (x / 128 * 3 - 1) / 4, x + 0.1)[0]
    return save_pair(tmp_path_factory.mktemp("bent"), pan, moved.astype("uint16"))


def run(files, out, **options):
    usual = {"sensor": "ikonos", "method": "mtf_glp_fs", "mtf": "sensor", "overwrite": True, "jobs": 1}
    report = panflow.sharpen_file(*files, out, profile=Profile(format="gtiff", dtype="float32"), **usual | options)
    return load(out), report


@pytest.mark.parametrize("how", ["auto", "local", "global", "0.83,-1.27", "off"])
def test_offsets_read_again_give_the_same_bits(bent, tmp_path, how):
    first, report = run(bent, tmp_path / "out.tif", register=how, save_offsets=tmp_path / "offsets.tif")
    again, other = run(bent, tmp_path / "out.tif", offsets=tmp_path / "offsets.tif")
    assert (report.shift_varies > 1) == (how in ("auto", "local"))
    assert np.array_equal(first, again)
    assert other.shift_varies == report.shift_varies and other.shift_applied
    assert other.phase == report.phase


def test_bands_that_lie_apart_keep_their_own(tmp_path):
    own = [(0.0, 0.0) if band in (1, 2, 4, 6) else (0.8, -1.0) for band in range(8)]
    pair = synthetic.scene(512, sensors.load("worldview2"), seed=0, shift=(0.4, 0.2), band_shifts=own)
    files = save_pair(tmp_path, pair.pan[0].astype("float32"), pair.ms[0].astype("float32"))
    options = {"sensor": "worldview2", "save_offsets": tmp_path / "offsets.tif"}
    first, report = run(files, tmp_path / "out.tif", **options)
    with rasterio.open(tmp_path / "offsets.tif") as dataset:
        assert dataset.descriptions[::2] == ("dy of coastal, yellow, red_edge, nir2", "dy of blue, green, red, nir1")
        apart = np.ptp(dataset.read()[::2, 0, 0]), np.ptp(dataset.read()[1::2, 0, 0])
    assert np.allclose(apart, (0.8, 1.0), atol=0.15)
    again, other = run(files, tmp_path / "out.tif", sensor="worldview2", offsets=tmp_path / "offsets.tif")
    assert np.array_equal(first, again)
    assert np.allclose(other.band_shifts, report.band_shifts)


def test_a_file_of_somebody_else_on_another_grid(tmp_path):
    """dy = 0.01 row, dx = -0.02 column, at nodes 20 PAN pixels apart that begin 30 pixels outside."""
    at = -30 + 20 * np.arange(30.0)
    offsets = np.stack(np.meshgrid(0.01 * at, -0.02 * at, indexing="ij")).astype("float32")
    path = save(tmp_path / "offsets.tif", offsets, grid(10.0, -39.5, -39.5))
    pan = Grid(grid(), rasterio.CRS.from_string(CRS), (512, 400))
    found = read_offsets(str(path), pan, 4)
    places = np.array([0.0, 123.0, 511.0]), np.array([7.0, 399.0])
    there = found.field.at(*places) + np.array(found.shift)[:, None, None]
    assert np.allclose(there[0], 0.01 * places[0][:, None], atol=1e-5)
    assert np.allclose(there[1], -0.02 * places[1], atol=1e-5)


@pytest.mark.parametrize(
    "change, error, words",
    [
        ({"crs": "EPSG:32631"}, GeometryError, "not georeferenced as PAN"),
        ({"transform": grid(10.0) * Affine.rotation(9)}, GeometryError, "not georeferenced as PAN"),
        ({"transform": grid(10.0, 9000)}, GeometryError, "beside PAN"),
        ({"image": np.full((2, 9, 9), np.nan)}, InputError, "expected dy and dx"),
        ({"image": np.full((2, 9, 9), 5000.0)}, InputError, "expected dy and dx"),
        ({"image": np.zeros((3, 9, 9))}, InputError, "expected dy and dx"),
        ({"image": np.zeros((6, 9, 9))}, InputError, "no offsets of 4 bands"),
    ],
)
def test_what_is_no_file_of_offsets_is_refused(tmp_path, change, error, words):
    options = {"image": np.zeros((2, 9, 9)), "transform": grid(10.0), "crs": CRS} | change
    path = save(tmp_path / "offsets.tif", options.pop("image"), **options)
    with pytest.raises(error, match=words):
        read_offsets(str(path), Grid(grid(), rasterio.CRS.from_string(CRS), (80, 80)), 4)


def test_offsets_stand_alone(bent, tmp_path):
    with pytest.raises(MissingInput, match="does not exist"):
        run(bent, tmp_path / "out.tif", offsets=tmp_path / "none.tif")
    run(bent, tmp_path / "out.tif", save_offsets=tmp_path / "offsets.tif")
    with pytest.raises(InputError, match="no other word of its registration"):
        run(bent, tmp_path / "out.tif", offsets=tmp_path / "offsets.tif", register="off")
    with pytest.raises(InputError, match="is one of the inputs"):
        run(bent, tmp_path / "offsets.tif", offsets=tmp_path / "offsets.tif")


def test_local_says_where_nothing_varies(tmp_path):
    files = save_pair(tmp_path, *drawn(256, shift=(0.8, -0.6))[:2])
    _, report = run(files, tmp_path / "out.tif", register="local")
    assert report.shift_varies == 0 and any("no field" in text for text in report.warnings)
