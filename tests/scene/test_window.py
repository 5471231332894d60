"""Windows of rasters on other grids."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from panflow.files.grid import Grid
from panflow.files.source import grid_of
from panflow.scene._window import placed, read

UTM = CRS.from_epsg(32631)
HERE = Affine(2.0, 0, 500000, 0, -2.0, 5700000)


def write(path, values, transform=HERE, crs=UTM, **profile):
    count, height, width = values.shape
    profile |= {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", transform=transform, crs=crs, **profile) as file:
        file.write(values)
    return rasterio.open(path)


def ramp(transform, size):
    """x + 2 y of every pixel centre, in units of the CRS, from HERE."""
    y, x = np.indices(size) + 0.5
    east, north = transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f
    return ((east - HERE.c) + 2 * (north - HERE.f))[None].astype("float32")


def test_on_its_own_pixels_nothing_changes(tmp_path):
    values = np.random.default_rng(1).integers(0, 2000, (3, 40, 50)).astype("uint16")
    with write(tmp_path / "a.tif", values) as file:
        target = Grid(HERE * Affine.translation(7, 5), UTM, (30, 40))
        got = read(file, [3, 1], grid_of(file), target)
    assert np.array_equal(got, values[[2, 0], 5:35, 7:47])


@pytest.mark.parametrize(
    "transform, error",
    [
        (Affine(0.5, 0, 500020.3, 0, -0.5, 5699980.7), 0.02),  # finer, off the grid
        (Affine(2.0, 0, 500010.0, 0, 2.0, 5699930.0), 0.02),  # south up
        (Affine.translation(500040, 5699960) * Affine.rotation(30) * Affine.scale(0.7, -0.7), 0.02),
        # Coarser by no whole factor: GDAL's weights place a sample to 0.04 coarse pixels, of 7 and 2 x 9 units here.
        (Affine(7.0, 0, 500004.0, 0, -9.0, 5699990.0), 0.04 * (7 + 18)),
    ],
)
def test_a_ramp_on_the_ground_stays_a_ramp(tmp_path, transform, error):
    with write(tmp_path / "a.tif", ramp(HERE, (60, 60))) as file:
        target = Grid(transform, UTM, (9, 12))
        got = read(file, [1], grid_of(file), target)
    assert got == pytest.approx(ramp(transform, (9, 12)), abs=error)


def test_a_ramp_stays_a_ramp_in_another_crs(tmp_path):
    """GDAL approximates the projection to an eighth of a pixel, 0.25 m."""
    with write(tmp_path / "a.tif", ramp(HERE, (60, 60))) as file:
        (west,), (north,) = transform_points(UTM, CRS.from_epsg(4326), [500040.0], [5699960.0])
        transform = Affine(1e-5, 0, west, 0, -1e-5, north)
        got = read(file, [1], grid_of(file), Grid(transform, CRS.from_epsg(4326), (20, 20)))
    x, y = (np.arange(20) + 0.5) * 1e-5 + west, north - (np.arange(20) + 0.5) * 1e-5
    east, up = transform_points(CRS.from_epsg(4326), UTM, np.tile(x, 20), np.repeat(y, 20))
    truth = (np.array(east) - HERE.c) + 2 * (np.array(up) - HERE.f)
    assert got.ravel() == pytest.approx(truth, abs=0.75)


def test_a_coarse_view_averages_all_pixels(tmp_path):
    values = np.random.default_rng(2).uniform(0, 100, (1, 64, 64)).astype("float32")
    with write(tmp_path / "a.tif", values) as file:
        got = read(file, [1], grid_of(file), Grid(HERE * Affine.scale(8), UTM, (8, 8)))
    assert got[0] == pytest.approx(values[0].reshape(8, 8, 8, 8).mean(axis=(1, 3)), abs=1e-3)


def test_nodata_and_outside_are_nan_and_do_not_bleed(tmp_path):
    values = np.full((1, 40, 40), 500, "uint16")
    values[:, :, 20:] = 0
    with write(tmp_path / "a.tif", values, nodata=0) as file:
        got = read(
            file, [1], grid_of(file), Grid(HERE * Affine.translation(-10, 0) * Affine.scale(0.5), UTM, (80, 120))
        )
        far = read(file, [1], grid_of(file), Grid(HERE * Affine.translation(900, 0), UTM, (4, 4)))
    assert np.isnan(got[0, :, :20]).all()
    assert (got[0, 10:-10, 24:56] == 500).all()
    assert np.isnan(got[0, :, 64:]).all()
    assert set(np.unique(got[np.isfinite(got)])) == {500}
    assert np.isnan(far).all()


def test_scale_and_offset_are_applied(tmp_path):
    with write(tmp_path / "a.tif", np.full((2, 8, 8), 100, "uint8")) as file:
        path = file.name
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1.0, 0.5), (0.0, -10.0)
    with rasterio.open(path) as file:
        got = read(file, [1, 2], grid_of(file), Grid(HERE, UTM, (8, 8)))
    assert got[:, 4, 4].tolist() == [100, 40]


def test_without_georeferencing_outer_corners_are_shared(tmp_path):
    anchor = Grid(Affine.identity(), None, (41, 80))
    with write(tmp_path / "a.tif", np.zeros((1, 10, 20), "uint8"), Affine.identity(), None) as file:
        assert placed(file, anchor).transform == Affine.scale(4, 4), "41 rows are 10 of 4 and a cut one"
    with write(tmp_path / "b.tif", np.zeros((1, 20, 32), "uint8")) as file:
        assert placed(file, anchor).transform == Affine.scale(80 / 32, 2)
        assert placed(file, Grid(HERE, UTM, (41, 80))) == grid_of(file)
