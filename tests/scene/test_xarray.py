"""Scenes of xarray: in memory, lazily and from files the same bits; where MS lies is what the coordinates say."""

import numpy as np
import pytest
import rasterio
from affine import Affine

import panflow
from panflow.errors import GeometryError, InputError

xarray = pytest.importorskip("xarray")
rioxarray = pytest.importorskip("rioxarray")
dask = pytest.importorskip("dask")
import panflow.xarray  # noqa: E402

UTM = "EPSG:32631"
SIZE = 640, 592  # two blocks of a file each way
TURNED = Affine.translation(500010, 5700010) * Affine.rotation(20)


def save(path, image, transform, crs=UTM, nodata=None):
    profile = {"driver": "GTiff", "dtype": image.dtype, "crs": crs, "transform": transform, "nodata": nodata}
    size = dict(zip(("count", "height", "width"), image.shape))
    with rasterio.open(path, "w", **profile, **size) as file:
        file.write(image)
    return path


def ground(xs, ys, seed):
    """A smooth pattern of the ground, of which every grid can be a picture."""
    rng = np.random.default_rng(seed)
    waves = rng.uniform(-0.35, 0.35, (24, 2))
    phases = rng.uniform(0, 6.3, 24)
    return sum(np.sin(a * xs + b * ys + p) for (a, b), p in zip(waves, phases)) * 60 + 800


def picture(transform, size, band):
    rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
    xs, ys = transform @ (columns, rows) if hasattr(transform, "__matmul__") else transform * (columns, rows)
    return ground(xs - 500000, ys - 5700000, 1) + 20 * band * np.sin(xs / 40 + band)


def scene(folder, kind):
    """PAN and MS files: "plain", one MS "beside" PAN's corners and with a hole, one "turned"."""
    fine = Affine.translation(500000, 5700000) * Affine.scale(1, -1)
    coarse = {
        "plain": fine * Affine.scale(4),
        "beside": fine * Affine.translation(6, 9) * Affine.scale(4),
        "turned": fine * Affine.translation(300, -150) * Affine.rotation(25) * Affine.scale(4),
    }[kind]
    pan = picture(fine, SIZE, 0)[None]
    ms = np.stack([picture(coarse, (SIZE[0] // 4, SIZE[1] // 4), band) for band in (1, 2, 3, 4)])
    nodata = None
    if kind == "beside":
        ms[:, 20:30, 40:60], nodata = 0, 0
    save(folder / "pan.tif", pan.astype("uint16"), fine)
    save(folder / "ms.tif", ms.astype("uint16"), coarse, nodata=nodata)
    return folder / "pan.tif", folder / "ms.tif"


@pytest.mark.parametrize("kind", ["plain", "beside", "turned"])
@pytest.mark.parametrize("method", ["gsa", "mtf_glp_hpm"])
def test_memory_lazy_and_file_have_the_same_bits(tmp_path, kind, method):
    pan, ms = scene(tmp_path, kind)
    out = tmp_path / "out.tif"
    panflow.sharpen_file(pan, ms, out, method=method, register="off", jobs=1)
    with rasterio.open(out) as file:
        expected, nodata = file.read(), file.nodata
    options = {"method": method, "register": "off"}
    eager = rioxarray.open_rasterio(pan).panflow.sharpen(rioxarray.open_rasterio(ms), **options)
    chunked = (rioxarray.open_rasterio(path, chunks={"x": 100, "y": 90}) for path in (pan, ms))
    lazy = next(chunked).panflow.sharpen(next(chunked), **options)
    assert isinstance(eager.data, np.ndarray) and dask.is_dask_collection(lazy.data)
    assert np.array_equal(eager, expected) and np.array_equal(lazy.compute(), expected)
    assert eager.rio.crs == UTM and eager.rio.transform() == Affine(1, 0, 500000, 0, -1, 5700000)
    assert eager.dtype == "uint16" and eager.rio.nodata == nodata
    assert eager.attrs["panflow_method"] == method


@pytest.mark.parametrize("units", ["auto", "counts"])
def test_scale_and_offset_of_the_bands(tmp_path, units):
    pan, ms = scene(tmp_path, "plain")
    with rasterio.open(ms, "r+") as file:
        file.scales, file.offsets = (2e-5, 3e-5, 2e-5, 2e-5), (-0.01, -0.02, 0.0, -0.01)
    with rasterio.open(pan, "r+") as file:
        file.scales, file.offsets = (2e-5,), (-0.01,)
    panflow.sharpen_file(pan, ms, tmp_path / "out.tif", method="brovey", register="off", units=units, jobs=1)
    with rasterio.open(tmp_path / "out.tif") as file:
        expected = file.read()
    opened = (rioxarray.open_rasterio(path, chunks={"x": 100}) for path in (pan, ms))
    assert np.array_equal(next(opened).panflow.sharpen(next(opened), method="brovey", units=units), expected)


def test_the_default_too(tmp_path):
    pan, ms = scene(tmp_path, "plain")
    options = {"runtime": "onnx", "register": "off"}
    panflow.sharpen_file(pan, ms, tmp_path / "out.tif", pixels=(0, 0, 64, 64), whole_fit=True, **options)
    with rasterio.open(tmp_path / "out.tif") as file:
        expected = file.read()
    chunked = (rioxarray.open_rasterio(path, chunks={"x": 128, "y": 128}) for path in (pan, ms))
    lazy = next(chunked).panflow.sharpen(next(chunked), **options)
    assert np.array_equal(lazy[:, :64, :64].compute(), expected)


def test_a_window_computes_its_blocks_alone(tmp_path, monkeypatch):
    pan, ms = scene(tmp_path, "plain")
    chunks, asked = {"x": 64, "y": 64}, []
    tile = panflow.xarray._sharpened

    def counted(scene, run, core, *rest):
        asked.append(core)
        return tile(scene, run, core, *rest)

    monkeypatch.setattr(panflow.xarray, "_sharpened", counted)
    fine, coarse = (rioxarray.open_rasterio(path, chunks=chunks) for path in (pan, ms))
    lazy = fine.panflow.sharpen(coarse, method="brovey")
    assert not asked
    part = lazy[:, :64, :64].compute()
    assert asked == [(0, 512, 0, 512)]
    assert np.array_equal(part, lazy.compute()[:, :64, :64])


@pytest.mark.parametrize("started_by_dask", [True, False])
def test_on_workers_of_dask_freed_memory_is_kept(tmp_path, monkeypatch, started_by_dask):
    """dask starts them so that they give it back at once, which doubles the time; a user's process is left alone."""
    pan, ms = (rioxarray.open_rasterio(path, chunks={"x": 256}) for path in scene(tmp_path, "plain"))
    kept = []
    monkeypatch.setattr(panflow.xarray, "keep_freed", lambda: kept.append(True))
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    if started_by_dask:
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    pan.panflow.sharpen(ms, method="brovey")[:, :8, :8].compute()
    assert bool(kept) == started_by_dask


def test_what_the_coordinates_say_decides(tmp_path):
    """Not that the arrays' corners are shared: MS lies beside PAN's corner by 6 and 9 pixels."""
    pan, ms = (rioxarray.open_rasterio(path) for path in scene(tmp_path, "beside"))
    fused = panflow.sharpen(pan, ms, method="exp")
    assert fused.dtype == np.float32 and fused.rio.crs == UTM and fused.rio.transform() == pan.rio.transform()
    assert np.isnan(fused[:, :, 0]).all() and not np.isnan(fused[:, 300:320, :120]).all()
    inside = fused[0, 300:500, 300:500]
    truth = picture(Affine.translation(500000, 5700000) * Affine.scale(1, -1), SIZE, 1)[300:500, 300:500]
    assert np.sqrt(float(((inside - truth) ** 2).mean())) < 5
    corner = panflow.sharpen(pan, ms, method="exp", phase="corner")[0, 300:500, 300:500]
    assert np.sqrt(float(((corner - truth) ** 2).mean())) > 20


@pytest.mark.parametrize("by", ["transform", "coordinates"])
def test_rounding_of_coordinates_is_no_matter(tmp_path, by):
    """Pixels of 0.3 m far from the origin: a ratio of 3.99999999999 would have other bits than the file's 4."""
    rng = np.random.default_rng(1)
    fine = Affine(0.3, 0, 592113.9, 0, -0.3, 5751234.3)
    pan = save(tmp_path / "pan.tif", rng.integers(100, 900, (1, 600, 600)).astype("uint16"), fine)
    ms = save(tmp_path / "ms.tif", rng.integers(100, 900, (4, 150, 150)).astype("uint16"), fine @ Affine.scale(4))
    panflow.sharpen_file(pan, ms, tmp_path / "out.tif", method="gsa", register="off", jobs=1)
    opened = [rioxarray.open_rasterio(path) for path in (pan, ms)]
    if by == "coordinates":
        for image in opened:
            del image.spatial_ref.attrs["GeoTransform"]
    scenes = panflow.xarray._Scene.of(*opened, "generic", None, None, "auto")
    assert scenes.placement.ratio == pytest.approx((4, 4), abs=1e-15 if by == "transform" else 1e-9)
    with rasterio.open(tmp_path / "out.tif") as file:
        different = (opened[0].panflow.sharpen(opened[1], method="gsa") != file.read()).mean()
    assert different == 0 if by == "transform" else different < 1e-3


def test_a_part_of_an_array_lies_where_its_coordinates_say(tmp_path):
    """The transform in spatial_ref is the whole image's still."""
    pan, ms = (rioxarray.open_rasterio(path) for path in scene(tmp_path, "plain"))
    grid = panflow.xarray._grid(pan[:, 64:300, 32:200])
    assert grid.transform == Affine(1, 0, 500032, 0, -1, 5699936) and grid.size == (236, 168)
    assert panflow.xarray._grid(pan.assign_coords(x=pan.x + 0.25)).transform.c == 500000.25
    part = pan[:, 64:300, 32:200].panflow.sharpen(ms[:, 10:, 5:], method="exp")
    whole = pan.panflow.sharpen(ms, method="exp")[:, 64:300, 32:200]
    assert (part == whole)[:, 60:-8, 60:-8].all()


def test_datasets_dates_and_names_of_odc_stac(tmp_path):
    pan, ms = (rioxarray.open_rasterio(path) for path in scene(tmp_path, "plain"))
    expected = pan.panflow.sharpen(ms, method="gsa", mtf="sensor", sensor="generic")
    dates = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[ns]")
    bands = xarray.Dataset({name: ms[k].drop_vars("band") for k, name in enumerate(("blue", "green", "red", "nir"))})
    bands = xarray.concat([bands, bands + 1], dim=xarray.DataArray(dates, dims="time", name="time"))
    fine = xarray.concat([pan[0], pan[0] + 1], dim=xarray.DataArray(dates, dims="time", name="time"))
    result = fine.panflow.sharpen(bands.astype("uint16"), method="gsa", mtf="sensor")
    assert isinstance(result, xarray.Dataset) and list(result.data_vars) == ["blue", "green", "red", "nir"]
    assert result.sizes["time"] == 2 and result.rio.crs == UTM
    assert np.array_equal(result["red"][0], expected[2])
    with pytest.raises(InputError, match="other dates"):
        fine.assign_coords(time=dates[::-1]).panflow.sharpen(bands, method="gsa")


def test_bands_of_a_dataset_keep_what_they_say(tmp_path):
    pan, ms = (rioxarray.open_rasterio(path) for path in scene(tmp_path, "beside"))
    bands = xarray.Dataset({f"b{k}": ms[k].drop_vars("band").assign_attrs(title=f"band {k}") for k in range(4)})
    result = pan.panflow.sharpen(bands, method="brovey")
    expected = pan.panflow.sharpen(ms, method="brovey")
    for k in range(4):
        one = result[f"b{k}"]
        assert np.array_equal(one, expected[k]) and one.rio.nodata == 0 and one.attrs["title"] == f"band {k}"
    with pytest.raises(InputError, match="one value of nodata for all"):
        pan.panflow.sharpen(bands.assign(b1=bands["b1"].assign_attrs(_FillValue=9)))
    with pytest.raises(InputError, match="Dataset of no images"):
        pan.panflow.sharpen(bands.drop_dims("x"))


@pytest.mark.parametrize("as_dataset", [False, True])
def test_what_is_masked_stays_masked(tmp_path, as_dataset):
    """As xarray's and rioxarray's own masks have it: NaN in memory, the value of nodata in the file's encoding."""
    pan, path = scene(tmp_path, "beside")
    ms = rioxarray.open_rasterio(path, masked=True)
    assert np.isnan(ms).any() and ms.encoding["_FillValue"] == 0
    ms = xarray.Dataset({f"b{k}": ms[k].drop_vars("band") for k in range(4)}) if as_dataset else ms
    result = rioxarray.open_rasterio(pan).panflow.sharpen(ms, method="brovey", mtf="sensor")
    result = result.to_dataarray() if as_dataset else result
    whole = rioxarray.open_rasterio(pan).panflow.sharpen(rioxarray.open_rasterio(path), method="brovey", mtf="sensor")
    assert np.array_equal(np.isnan(result), whole == 0) and np.isnan(result).any()


def test_what_cannot_be_is_refused(tmp_path):
    pan, ms = (rioxarray.open_rasterio(path) for path in scene(tmp_path, "plain"))
    with pytest.raises(GeometryError, match="not evenly spaced"):
        pan.assign_coords(x=pan.x**2).panflow.sharpen(ms)
    with pytest.raises(GeometryError, match="swapped"):
        ms[:1].panflow.sharpen(pan)
    with pytest.raises(InputError, match="expected y and x"):
        pan.rename(x="column").panflow.sharpen(ms)
    with pytest.raises(GeometryError, match="overlap"):
        pan.assign_coords(x=pan.x + 1e5).panflow.sharpen(ms)


def test_a_confident_offset_is_corrected_where_asked(tmp_path):
    pan, ms = scene(tmp_path, "plain")
    moved = rioxarray.open_rasterio(ms, chunks={"x": 64, "y": 64})
    moved = moved.assign_coords(x=moved.x + 1.5)  # wrong by so many metres, of a PAN pixel each
    fine = rioxarray.open_rasterio(pan, chunks={"x": 64, "y": 64})
    truth = fine.panflow.sharpen(rioxarray.open_rasterio(ms), method="exp").compute().astype(float)
    errors = {}
    for how in ("off", "auto", (0.0, -1.5)):
        fused = fine.panflow.sharpen(moved, method="exp", register=how).compute().astype(float)
        errors[how] = float(abs(fused - truth)[:, 40:-40, 40:-40].mean())
    assert errors["auto"] < 0.3 * errors["off"] and errors[0.0, -1.5] < 0.05 * errors["off"]


@pytest.mark.parametrize("register", ["auto", (3.0, -5.0)])
def test_offsets_are_corrected_alike_in_memory_lazily_and_in_files(tmp_path, register):
    pan, ms = scene(tmp_path, "plain")
    with rasterio.open(ms, "r+") as file:
        file.transform = Affine.translation(5.0, -3.0) @ file.transform
    how = "global" if register == "auto" else register
    panflow.sharpen_file(pan, ms, tmp_path / "out.tif", method="gsa", register=how, jobs=1)
    with rasterio.open(tmp_path / "out.tif") as file:
        expected = file.read()
    assert (expected[:, :, 0] == 0).all()  # where MS is missing
    for chunks in (None, {"x": 100, "y": 90}):
        fine, coarse = (rioxarray.open_rasterio(path, chunks=chunks) for path in (pan, ms))
        assert np.array_equal(fine.panflow.sharpen(coarse, method="gsa", register=register), expected)
