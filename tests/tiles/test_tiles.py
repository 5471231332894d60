"""Tiles of a scene that is sharpened on the fly: as the finished file has them, by its reader and by its server."""

import json
import threading
import urllib.error
import urllib.request
from io import BytesIO

import numpy as np
import pytest
import rasterio
from PIL import Image

pytest.importorskip("rio_tiler", reason="the extra tiles is not installed")

from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader as FileReader

from panflow import sensors
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.files.scene import Scene
from panflow.scene.sharpen import sharpen_file
from panflow.tiles.live import live
from panflow.tiles.reader import Reader
from panflow.tiles.server import Server


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """PAN and MS with nodata along a border, and the result of gsa."""
    folder = tmp_path_factory.mktemp("tiles")
    pair = synthetic.scene(700, sensors.load("ikonos"), seed=1, shift=(0.5, -0.75), nodata=0.1)
    files = synthetic.write(pair, folder, phase=(1.5, 1.5))
    sharpen_file(files["pan"], files["ms"], folder / "gsa.tif", method="gsa", sensor="ikonos")
    return files | {"gsa": folder / "gsa.tif"}


@pytest.fixture(scope="module")
def scene(files):
    with live(Scene.of(files["pan"], files["ms"], sensor="ikonos"), 1) as ready:
        yield ready


def test_on_its_own_grid_it_is_the_file(scene, files):
    reader = Reader(scene, method="gsa")
    with rasterio.open(files["gsa"]) as file:
        bounds = rasterio.windows.bounds(rasterio.windows.Window(130, 40, 300, 250), file.transform)
        expected = file.read(window=rasterio.windows.Window(130, 40, 300, 250), masked=True)
    part = reader.part(bounds, scene.source.grid.crs, scene.source.grid.crs)
    assert part.array.dtype == expected.dtype
    assert (part.array.mask == expected.mask).all() and part.array.mask.any()
    assert (part.array.filled(0) == expected.filled(0)).all()


def middle(reader, zoom):
    west, south, east, north = reader.get_geographic_bounds(rasterio.crs.CRS.from_epsg(4326))
    return reader.tms.tile((west + east) / 2, (south + north) / 2, zoom)


def test_a_tile_is_that_of_the_finished_file(scene, files):
    reader = Reader(scene, method="gsa")
    at = middle(reader, reader.maxzoom)
    with FileReader(str(files["gsa"])) as file:
        expected = file.tile(*at)
        assert (reader.minzoom, reader.maxzoom) == (file.minzoom, file.maxzoom)
    tile = reader.tile(*at)
    same = (tile.array.filled(0) == expected.array.filled(0)).mean()
    assert same > 0.98  # GDAL's warped dataset is off by up to an eighth of a pixel
    assert tile.band_descriptions == ["blue", "green", "red", "nir"]


def test_below_the_resolution_of_ms_nothing_is_sharpened(scene, files, monkeypatch):
    monkeypatch.setattr(scene, "read", pytest.fail)
    reader = Reader(scene, method="gsa")
    at = middle(reader, reader.maxzoom - 3)
    with FileReader(str(files["ms"])) as file:
        expected = file.tile(*at).array
    assert (reader.tile(*at).array == expected).all()
    assert expected.count()


def test_between_them_pixels_are_averaged(scene):
    reader = Reader(scene, method="exp")
    crs, bounds = scene.source.grid.crs, reader.bounds
    fine, coarse = (reader.part(bounds, crs, crs, max_size=size).array for size in (700, 350))
    cells = fine.data.reshape(4, 350, 2, 350, 2)
    whole = ~fine.mask[0].reshape(350, 2, 350, 2).any(axis=(1, 3))
    assert np.abs(cells.mean(axis=(2, 4)) - coarse.data)[:, whole].max() <= 0.5
    assert (~coarse.mask[0] == whole).all()


@pytest.mark.parametrize("zoom", [0, 5])
def test_a_tile_of_half_the_world_does_not_take_for_ever(scene, zoom):
    """GDAL would make a virtual file of it at the scene's resolution; poles have no coordinates in UTM."""
    tile = Reader(scene, method="gsa").tile(*middle(Reader(scene, method="gsa"), zoom))
    assert tile.array.shape == (4, 256, 256) and tile.array.mask.mean() > 0.999


def test_where_the_scene_is_small_in_a_tile_it_lies_in_its_place(scene):
    reader = Reader(scene, method="gsa")
    at = middle(reader, reader.maxzoom - 6)
    tile = reader.tile(*at)
    west, south, east, north = rasterio.warp.transform_bounds(reader.crs, tile.crs, *reader.bounds)
    pixel = (tile.bounds[2] - tile.bounds[0]) / 256
    rows, columns = np.nonzero(~tile.array.mask[0])
    assert len(rows) > 4
    xs, ys = tile.bounds[0] + (columns + 0.5) * pixel, tile.bounds[3] - (rows + 0.5) * pixel
    assert west - pixel < xs.min() < xs.max() < east + pixel and south - pixel < ys.min() < ys.max() < north + pixel


def test_a_tile_beside_the_scene_is_refused(scene):
    reader = Reader(scene, method="gsa")
    x, y, z = middle(reader, reader.maxzoom)
    with pytest.raises(TileOutsideBounds):
        reader.tile(x + 100, y, z)


def test_point_feature_preview_statistics(scene):
    reader = Reader(scene, method="gsa")
    west, south, east, north = reader.get_geographic_bounds(rasterio.crs.CRS.from_epsg(4326))
    x, y = (west + east) / 2, (south + north) / 2
    point = reader.point(x, y)
    assert point.array.shape == (4,) and not point.array.mask.any()
    d = (east - west) / 8
    triangle = {"type": "Polygon", "coordinates": [[(x, y), (x + d, y), (x + d, y + d), (x, y)]]}
    cut = reader.feature(triangle)
    assert 0.4 < cut.array.mask.mean() < 0.6
    assert reader.preview(max_size=100).array.shape == (4, 100, 100)
    assert reader.info().count == 4 and reader.info().dtype == "uint16"
    assert reader.statistics()["b1"].mean > 0
    assert reader.part(reader.bounds, reader.crs, reader.crs, max_size=50, expression="b1/b2").count == 1


def test_blocks_of_costly_methods_are_remembered(scene, monkeypatch):
    monkeypatch.setattr(type(scene._sharpener("gsa")), "evaluations", 1)
    calls, sharpened = [], scene._sharpened
    monkeypatch.setattr(scene, "_block", lambda core, method: calls.append(core) or sharpened(core, method))
    core = 400, 650, 380, 640
    image, valid = scene.read(core, "gsa")
    plain, mask = sharpened(core, "gsa")
    assert len(calls) == 4
    assert (image == plain).all()
    assert (valid is None and mask is None) or (valid == mask).all()


def test_what_looks_at_the_whole_image_is_refused(scene):
    from panflow.methods.gsa import Method

    assert "gsa" in scene.methods
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Method, "halo", lambda self, ratio: None)
        assert "gsa" not in scene.methods
        patch.setattr(scene, "_fitted", {})
        with pytest.raises(InputError, match="looks at the whole image"):
            scene.read((0, 9, 0, 9), "gsa")


def test_a_scene_that_is_nowhere_is_refused(files, tmp_path):
    with rasterio.open(files["pan"]) as file:
        profile = {**file.profile, "crs": None, "transform": rasterio.Affine.identity()}
        with rasterio.open(tmp_path / "pan.tif", "w", **profile) as copy:
            copy.write(file.read())
    with pytest.raises(InputError, match="no georeferencing"), live(Scene.of(tmp_path / "pan.tif", files["ms"])):
        pass


@pytest.fixture(scope="module")
def server(scene):
    served = Server(("127.0.0.1", 0), scene, ["exp", "gsa"], "gsa", 2)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()


def get(server, path):
    return urllib.request.urlopen(server.url + path, timeout=60)


def test_the_page_loads_nothing_from_elsewhere(server):
    page = get(server, "").read().decode()
    for name in ("page.css", "page.js"):
        assert name in page
        page += get(server, name).read().decode()
    assert "http" not in page and "//" not in page.replace("// ", "")
    assert "default-src 'self'" in get(server, "").headers["Content-Security-Policy"]


def test_tiles_come_as_pictures(server, scene):
    told = json.load(get(server, "scene.json"))
    assert told["methods"] == ["exp", "gsa"] and told["method"] == "gsa"
    x, y, z = middle(Reader(scene, method="gsa"), told["zooms"][1])
    path = told["tiles"].format(method="gsa", z=z, x=x, y=y).lstrip("/")
    image = np.asarray(Image.open(BytesIO(get(server, path).read())))
    assert image.shape == (256, 256, 4)
    assert (image[..., 3] == 255).any() and image[..., :3].std() > 10


@pytest.mark.parametrize(
    "path",
    [
        "tiles/gsa/3/0/0.png",
        "tiles/brovey/17/0/0.png",
        "tiles/gsa/x/0/0.png",
        "tiles/gsa/40/0/0.png",
        "../server.py",
        "server.py",
    ],
)
def test_what_there_is_not_is_not_found(server, path):
    with pytest.raises(urllib.error.HTTPError) as answer:
        get(server, path)
    assert answer.value.code == 404


def test_trouble_with_a_tile_is_an_answer(server, scene, monkeypatch):
    def broken(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(server, "tile", broken)
    with pytest.raises(urllib.error.HTTPError) as answer:
        get(server, "tiles/gsa/17/1/1.png")
    assert answer.value.code == 500 and b"the disk is gone" in answer.value.read()


def test_a_browser_that_has_gone_is_no_news(server, capsys):
    for error, said in ((ConnectionResetError(), False), (BrokenPipeError(), False), (ValueError("x"), True)):
        try:
            raise error
        except Exception:
            server.handle_error(None, ("127.0.0.1", 1))
        assert ("Traceback" in capsys.readouterr().err) == said
