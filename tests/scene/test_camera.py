"""Images in the geometry of the camera: placed by RPC, and georeferenced as PAN is."""

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer
from rasters import drawn, grid, load, save, save_pair
from test_engine import run

from panflow.errors import GeometryError, MissingInput
from panflow.files.camera import relation

STEP = 5e-6  # degrees a PAN pixel


def rpc(size, pixel=1.0, row=0.0, column=0.0, slant=0.0, turn=0.0):
    """Of an image whose upper left corner lies at a row and a column of PAN's pixels, with pixels of so many: a camera
    that sees the ground along parallel rays; slant: columns (of PAN) by which a metre of height moves the ground."""
    h, w = size

    def linear(*first):
        return [*first, *[0.0] * (20 - len(first))]

    return RPC(
        height_off=100.0, height_scale=500.0,
        lat_off=50 - (row + h * pixel / 2) * STEP, lat_scale=h * pixel / 2 * STEP,
        long_off=5 + (column + w * pixel / 2) * STEP, long_scale=w * pixel / 2 * STEP,
        line_off=h / 2 - 0.5, line_scale=h / 2, samp_off=w / 2 - 0.5, samp_scale=w / 2,
        line_num_coeff=linear(0, turn, -1, 0), line_den_coeff=linear(1),
        samp_num_coeff=linear(0, 1, turn, slant * 500 / (w * pixel / 2)), samp_den_coeff=linear(1),
        err_bias=None, err_rand=None,
    )  # fmt: skip


def pair(folder, pan_slant=0.3, ms_slant=0.3, turn=0.0):
    pan, ms, _ = drawn()
    ms = ms[:, 3:, 5:]
    models = rpc(pan.shape[1:], slant=pan_slant), rpc(ms.shape[1:], 4.0, 12, 20, ms_slant, turn)
    return [
        save(folder / f"{name}_rpc.tif", image, None, None, about={"rpcs": model})
        for name, image, model in zip(("pan", "ms"), (pan, ms), models)
    ]


@pytest.mark.parametrize("format", ["cog", "gtiff"])
def test_ms_lies_where_the_models_say_and_the_result_keeps_pans(tmp_path, format):
    pan, ms, _ = drawn()
    mapped = save(tmp_path / "pan.tif", pan, grid()), save(tmp_path / "ms.tif", ms[:, 3:, 5:], grid(2.0, 12, 20))
    expected, _ = run(mapped, dtype="float32")
    files = pair(tmp_path)
    fused, report = run(files, dtype="float32", format=format)
    np.testing.assert_allclose(fused, expected, atol=1e-3 * np.nanmax(expected))
    assert any("by their RPC" in note for note in report.warnings)
    with rasterio.open(files[0]) as one, rasterio.open(tmp_path / "out.tif") as other:
        assert other.rpcs == one.rpcs


def test_a_part_keeps_its_place_on_the_ground(tmp_path):
    files = pair(tmp_path)
    run(files, pixels=(40, 60, 100, 120))
    with rasterio.open(files[0]) as whole, rasterio.open(tmp_path / "out.tif") as part:
        models = whole.rpcs, part.rpcs
    with RPCTransformer(models[0], rpc_height=50) as there, RPCTransformer(models[1], rpc_height=50) as here:
        assert np.allclose(there.xy(50.0, 70.0), here.xy(10.0, 10.0), atol=1e-9)


def test_heights_place_what_was_seen_under_two_angles(tmp_path):
    files = pair(tmp_path, 0.3, 0.32)
    at = [run(files, dem=dem)[1].phase for dem in (None, 100, "200")]
    assert at[0] == at[1] and at[2][1] - at[0][1] == pytest.approx(-0.02 * 100, abs=0.02)
    heights = np.full((1, 40, 40), 200, "float32")
    dem = save(tmp_path / "dem.tif", heights, rasterio.Affine(1e-3, 0, 4.98, 0, -1e-3, 50.02), "EPSG:4326")
    assert run(files, dem=str(dem))[1].phase == pytest.approx(at[2], abs=0.01)
    with pytest.raises(MissingInput, match="heights"):
        run(files, dem="nowhere.tif")


def test_models_are_inverted_to_a_hundredth_of_a_pixel_over_hills(tmp_path):
    """Two arrays that see the ground from one side: whatever its height, MS lies at a place of PAN."""
    y, x = np.meshgrid(np.arange(40.0), np.arange(40.0), indexing="ij")
    hills = (150 + 80 * np.sin(x / 5) + 60 * np.cos(y / 4))[None].astype("float32")
    dem = save(tmp_path / "dem.tif", hills, rasterio.Affine(1e-4, 0, 4.999, 0, -1e-4, 50.001), "EPSG:4326")
    models = rpc((256, 256), slant=0.3), rpc((61, 59), 4.0, 12, 20, 0.3)
    affine, bend = relation(*models, (61, 59), str(dem))
    np.testing.assert_allclose(affine[:6], (4, 0, 20, 0, 4, 12), atol=0.01)
    assert bend < 0.02


def test_what_heights_bend_is_noted(tmp_path):
    hills = np.linspace(0, 300, 1600).reshape(1, 40, 40)[:, np.random.default_rng(0).permutation(40)]
    dem = save(
        tmp_path / "dem.tif", hills.astype("float32"), rasterio.Affine(1e-4, 0, 4.999, 0, -1e-4, 50.001), "EPSG:4326"
    )
    _, report = run(pair(tmp_path, 0.3, 0.304), dem=str(dem))
    assert any("change with the place" in note for note in report.warnings)
    with pytest.raises(GeometryError, match="bends by"):
        run(pair(tmp_path, 0.3, 0.33), dem=str(dem))


def test_cameras_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(GeometryError, match="orthorectify"):
        run(pair(tmp_path, turn=0.1))


@pytest.mark.parametrize("format", ["cog", "gtiff"])
def test_control_points_are_kept(tmp_path, format):
    pan, ms, _ = drawn()
    points = [
        GroundControlPoint(r, c, 5 + c * STEP, 50 - r * STEP) for r, c in ((0, 0), (0, 256), (256, 0), (256, 256))
    ]
    files = save_pair(tmp_path, pan, ms)
    save(files[0], pan, None, None, about={"gcps": (points, "EPSG:4326")})
    run(files, format=format)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        kept, crs = dataset.gcps
        assert crs.to_epsg() == 4326 and [(p.row, p.col, p.x, p.y) for p in kept] == [
            (p.row, p.col, p.x, p.y) for p in points
        ]
    assert load(tmp_path / "out.tif").any()
