"""Tiles that are compressed here are tiles as GDAL reads them."""

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from panflow.files.grid import Grid
from panflow.files.output import Output
from panflow.files.sink import BLOCK, Profile, Sink
from panflow.ops import resample

SIZES = [(16, 16), (BLOCK, BLOCK), (BLOCK + 1, 40), (700, 2 * BLOCK + 17)]
KINDS = ["uint8", "int8", "uint16", "int16", "uint32", "int32"]


@pytest.fixture(params=["compiled", "plain"])
def loops(request, monkeypatch):
    """With and without the compiled loops."""
    if request.param == "compiled":
        compiled = pytest.importorskip("panflow.ops.compiled", reason="needs the extra `fast`")
        assert resample.loops() is compiled
    else:
        monkeypatch.setattr("panflow.files.tiff.loops", lambda: None)


def sink(out, image, **options):
    bands, height, width = image.shape
    grid = Grid(rasterio.Affine(1, 0, 7, 0, -1, 9), "EPSG:32631", (height, width))
    mask = options.pop("mask", False)
    profile = Profile(**{"dtype": image.dtype.name, "format": "gtiff", "overviews": False} | options)
    return Sink(Output(out), grid, bands, profile, mask=mask, jobs=2)


def write(made, image, order=1):
    """The image block by block, in the order of rows or the other way round."""
    bands, height, width = image.shape
    made.describe(["x"] * bands, {"A": "b"}, scales=[2.0] * bands)
    corners = [(y, x) for y in range(0, height, BLOCK) for x in range(0, width, BLOCK)]
    for y, x in corners[::order]:
        core = y, min(y + BLOCK, height), x, min(x + BLOCK, width)
        part = image[:, core[0] : core[1], core[2] : core[3]]
        made.write(core, made.pack(core, part), None)
    made.finish()


def noise(kind, shape):
    info = np.iinfo(kind)
    return np.random.default_rng(0).integers(info.min, info.max, shape, kind, endpoint=True)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_comes_back(tmp_path, loops, kind, size):
    image = noise(kind, (3, *size))
    with sink(tmp_path / "out.tif", image) as made:
        assert isinstance(made.pack((0, 1, 0, 1), image[:, :1, :1]), list)  # else GDAL is tested
        write(made, image, order=-1)
    with rasterio.open(tmp_path / "out.tif") as result:
        assert np.array_equal(result.read(), image)
        assert result.profile["compress"] == "zstd" and result.block_shapes[0] == (BLOCK, BLOCK)
        assert result.tags()["A"] == "b" and result.scales == (2.0,) * 3 and result.crs == "EPSG:32631"
    assert [path.name for path in tmp_path.iterdir()] == ["out.tif"]


@pytest.mark.parametrize("format", ["gtiff", "cog"])
@pytest.mark.parametrize("bands", [1, 2, 4, 5, 8])
def test_any_number_of_bands(tmp_path, loops, bands, format):
    image = noise("uint16", (bands, BLOCK, BLOCK + 3))
    with sink(tmp_path / "out.tif", image, format=format, overviews=True) as made:
        write(made, image)
    with rasterio.open(tmp_path / "out.tif") as result:
        assert np.array_equal(result.read(), image) and result.overviews(1) == [2]


def test_overviews_of_a_plain_file(tmp_path):
    image = np.repeat(np.repeat(noise("uint8", (2, 600, 300)), 2, 1), 2, 2)
    with sink(tmp_path / "out.tif", image, overviews=True) as made:
        write(made, image)
    with rasterio.open(tmp_path / "out.tif", overview_level=0) as half:
        assert np.array_equal(half.read(), image[:, ::2, ::2])


def test_a_file_of_more_than_four_gigabytes(tmp_path):
    """Has wider numbers in its tables; one tile of it is written, and the others are sparse."""
    size = 80 * BLOCK
    image = noise("uint16", (2, BLOCK, BLOCK))
    with sink(tmp_path / "out.tif", np.broadcast_to(np.uint16(0), (2, size, size))) as made:
        core = size - BLOCK, size, BLOCK, 2 * BLOCK
        made.describe(names=["", ""], colors=[], scales=[1.0] * 2, offsets=[0.0] * 2, units=[], tags={})
        made.write(core, made.pack(core, image), None)
        made.finish()
    assert (tmp_path / "out.tif").read_bytes()[:4] == b"II\x2b\0"
    with rasterio.open(tmp_path / "out.tif") as result:
        assert np.array_equal(result.read(window=Window(BLOCK, size - BLOCK, BLOCK, BLOCK)), image)
        assert not result.read(window=Window(0, 0, BLOCK, BLOCK)).any()


@pytest.mark.parametrize(
    "options", [{"compress": "deflate"}, {"mask": True}, {"compress": "none"}, {"format": "cog"}], ids=str
)
def test_the_rest_is_left_to_gdal(tmp_path, options):
    image = noise("uint16", (2, 600, 40))
    with sink(tmp_path / "out.tif", image, **options) as made:
        assert isinstance(made.pack((0, 600, 0, 40), image), np.ndarray)
        write(made, image)
    with rasterio.open(tmp_path / "out.tif") as result:
        assert np.array_equal(result.read(), image)
