"""STAC: Items, ItemCollections and catalogs as scenes; Items of results and models, held to the schemas."""

import hashlib
import json
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import layouts
import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.transform import from_origin

from panflow import cli, registry
from panflow.archive.rows import rows
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.files import stac
from panflow.files.product import find
from panflow.files.remote import path_of
from panflow.scene.catalog import acquisition
from panflow.sensors import load

SCHEMAS = Path(__file__).parents[1] / "stac-schemas"
WHEN = "2020-09-27T10:59:00Z"


@cache
def schemas() -> Any:
    """Those of the core, which come with pystac, and those of the extensions, by their addresses."""
    local = pytest.importorskip("pystac.validation.local_validator", reason="pystac, which brings schemas, is absent")
    from referencing import Registry, Resource

    files = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")]
    every = local.get_local_schema_cache() | {schema["$id"].rstrip("#"): schema for schema in files}
    # of the raster extension before this one, MLM takes the list of data types
    types = {"enum": ["int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "float32", "float64", "other"]}
    bands = {"items": {"properties": {"data_type": types}}}
    every["https://stac-extensions.github.io/raster/v1.1.0/schema.json"] = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"bands": bands},
    }
    return Registry().with_resources([(name, Resource.from_contents(schema)) for name, schema in every.items()])


def require_valid(item: dict) -> None:
    """By the core's schema and that of every extension that the Item names."""
    known = schemas()
    from jsonschema import Draft7Validator, FormatChecker

    for address in ("https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json", *item["stac_extensions"]):
        schema = known.contents(address)
        errors = Draft7Validator(schema, registry=known, format_checker=FormatChecker()).iter_errors(item)
        assert [f"{address}: {list(error.path)}: {error.message}" for error in errors] == []


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    synthetic.write(synthetic.scene(64, load("ikonos"), seed=1), folder, phase=(1.5, 1.5))
    return folder


def item(assets: dict, **properties) -> dict:
    values = {"datetime": WHEN, **properties}
    return {"type": "Feature", "stac_version": "1.1.0", "id": "i", "properties": values, "links": [], "assets": assets}


def asset(href: str, *names: str, **more) -> dict:
    bands = [{"name": name, "eo:common_name": name} for name in names]
    return {"href": href, "type": "image/tiff; application=geotiff", "roles": ["data"], "bands": bands, **more}


def old(href: str, *names: str) -> dict:
    """As before STAC 1.1."""
    return {"href": href, "eo:bands": [{"name": name, "common_name": name} for name in names]}


IKONOS = {"pan": asset("./pan.tif", "pan", gsd=1), "ms": asset("ms.tif", "blue", "green", "red", "nir08", gsd=4)}
LANDSAT = {
    key: old(f"{key}.tif", key)
    for key in ["swir22", "swir16", "coastal", "nir08", "red", "green", "blue", "pan", "lwir11"]
}


def test_bands_of_now_and_of_before(tmp_path):
    for assets in (IKONOS, {"p": old("pan.tif", "pan"), "m": old("ms.tif", "blue", "green", "red", "nir")}):
        found = stac.scene_of(tmp_path / "item.json", item(assets, platform="ikonos-2"))
        assert found.files == [str(tmp_path / "pan.tif"), str(tmp_path / "ms.tif")]
        assert found.bands == ("blue", "green", "red", "nir")
        assert found.tags["PLATFORM"] == "ikonos-2"
        assert found.tags["DATETIME"] == WHEN


def test_landsat_is_read_as_its_folders_are(tmp_path):
    found = stac.scene_of(tmp_path / "item.json", item(LANDSAT, platform="landsat-8"))
    assert [Path(path).stem for path in found.ms] == ["blue", "green", "red", "nir08", "swir16", "swir22"]
    assert found.bands == ("blue", "green", "red", "nir", "swir1", "swir2")


def test_addresses_are_kept_or_relative_to_the_item():
    assets = {"pan": asset("https://h.org/p.tif", "pan"), "ms": asset("ms.tif", "red", "green"), "x": asset("x", "red")}
    found = stac.scene_of(path_of("s3://b/items/i.json"), item(assets))
    assert found.files == ["https://h.org/p.tif", "s3://b/items/ms.tif"]


@pytest.mark.parametrize(
    ("href", "meant"),
    [
        ("../m.tif", "https://h.org/a/m.tif"),
        ("./m.tif?key=1", "https://h.org/a/b/m.tif?key=1"),
        ("/etc/m.tif", "https://h.org/etc/m.tif"),  # no file of this machine
        ("../../../../m.tif", "https://h.org/m.tif"),
        ("s3://b/m.tif", "s3://b/m.tif"),
    ],
)
def test_links_of_a_remote_item_mean_what_they_mean_on_the_web(href, meant):
    found = stac.scene_of(path_of("https://h.org/a/b/i.json?key=2"), item(IKONOS | {"ms": asset(href, "red")}))
    assert found.ms == (meant,)
    bucket = stac.scene_of(path_of("s3://bucket/a/i.json"), item(IKONOS | {"ms": asset("../m.tif", "red")}))
    assert bucket.ms == ("s3://bucket/m.tif",)


def test_pixels_are_compared_in_one_unit(tmp_path):
    """PAN says metres alone, MS degrees too: it is not finer for that."""
    ms = asset("ms.tif", "blue", "red", **{"proj:transform": [3.6e-5, 0, 5, 0, -3.6e-5, 50], "gsd": 4})
    assert stac.scene_of(tmp_path / "i.json", item(IKONOS | {"ms": ms})).ms


ODD = [
    {"assets": [1]},
    {"properties": [1]},
    {"properties": {"instruments": 5}},
    {"assets": {"pan": {"href": "p.tif", "roles": 5, "bands": "xy"}}},
    {"assets": {"pan": {"href": "p.tif", "bands": ["x", 5]}, "ms": {"href": 5}}},
    {"assets": {"pan": {"href": "p.tif"}, "ms": {"href": "m.tif", "eo:bands": {"a": 1}, "proj:transform": 5}}},
    {"assets": {"pan": {"href": "p.tif"}, "ms": asset("m.tif", "red", gsd="15") | {"raster:bands": ["s"]}}},
]


@pytest.mark.parametrize("change", ODD)
def test_items_of_odd_shapes_are_refused_or_read(tmp_path, change):
    """Documents of strangers: whatever stands where an object was expected, there is no traceback."""
    with suppress(InputError):
        assert stac.scene_of(tmp_path / "item.json", item(IKONOS) | change).ms


@pytest.mark.parametrize("links", [None, ["a"], [{"rel": "item"}], {"rel": "item", "href": "x.json"}])
def test_catalogs_of_odd_shapes_have_no_items(tmp_path, links):
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "Catalog", "links": links}))
    assert stac.items(tmp_path / "catalog.json") == []


def test_long_chains_and_circles_of_catalogs_end(tmp_path):
    def catalog(path, href):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"type": "Catalog", "links": [{"rel": "child", "href": href}]}))

    for n in range(1500):
        catalog(tmp_path / f"{n}.json", f"{n + 1}.json")
    catalog(tmp_path / "1500.json", "a/c.json")
    catalog(tmp_path / "a/c.json", "../b/c.json")
    catalog(tmp_path / "b/c.json", "../a/c.json")
    assert stac.items(tmp_path / "0.json") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pan": None}, "0 PAN assets"),
        ({"pan2": asset("q.tif", "pan")}, "2 PAN assets"),
        ({"ms": None}, "no MS assets"),
        ({"ms": asset("ms.tif", "blue", "green", gsd=1)}, "no MS assets"),  # as fine as PAN: sharpened before
        ({"ms2": asset("n.tif", "blue", "green", "red", "nir08", gsd=4)}, "2 MS assets"),
        ({"ms": asset("ms.tif", "blue", "green", "red", "nir08", roles=["visual"])}, "no MS assets"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, change, words):
    assets = {key: value for key, value in {**IKONOS, **change}.items() if value}
    with pytest.raises(InputError, match=words):
        stac.scene_of(tmp_path / "item.json", item(assets))


def test_collections_and_catalogs_give_all_their_items(tmp_path):
    one, two = (item(IKONOS) | {"id": name} for name in ("one", "two"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/one.json").write_text(json.dumps(one))
    (tmp_path / "both.json").write_text(json.dumps({"type": "FeatureCollection", "features": [one, two]}))
    links = [{"rel": "item", "href": "./one.json"}, {"rel": "parent", "href": "../catalog.json"}]
    (tmp_path / "deep/collection.json").write_text(json.dumps({"type": "Collection", "links": links}))
    links = [{"rel": "child", "href": "deep/collection.json"}, {"rel": "child", "href": "catalog.json"}]
    (tmp_path / "catalog.json").write_text(json.dumps({"type": "Catalog", "links": links}))
    found, _ = rows(str(tmp_path / "catalog.json"), tmp_path)
    assert [(row.id, row.pan) for row in found] == [("one", str(tmp_path / "deep/pan.tif"))]
    found, _ = rows(str(tmp_path / "both.json"), tmp_path)
    assert [row.id for row in found] == ["one", "two"]
    with pytest.raises(InputError, match="holds 2 STAC Items: expected one"):
        find(tmp_path / "both.json")
    (tmp_path / "other.json").write_text('{"LANDSAT_METADATA_FILE": {}}')
    assert find(tmp_path / "other.json") is None
    with pytest.raises(InputError, match="is no STAC Item, ItemCollection or catalog"):
        rows(str(tmp_path / "other.json"), tmp_path)


def panflow(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "panflow", *map(str, arguments)], capture_output=True, text=True)


def test_an_item_in_and_an_item_out(scene, tmp_path):
    (scene / "item.json").write_text(json.dumps(item(IKONOS, platform="IKONOS-2")))
    done = panflow("sharpen", scene / "item.json", tmp_path / "sharp.tif", "-m", "brovey", "--stac", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "sharp.json").read_text())
    require_valid(result)
    assert result["properties"]["datetime"] == WHEN
    assert result["properties"]["platform"] == "ikonos-2"
    assert [link["href"] for link in result["links"] if link["rel"] == "derived_from"] == [str(scene / "item.json")]
    image = result["assets"]["sharpened"]
    data = (tmp_path / "sharp.tif").read_bytes()
    assert (image["href"], image["file:size"]) == ("./sharp.tif", len(data))
    assert image["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
    assert [band["eo:common_name"] for band in image["bands"]] == ["blue", "green", "red", "nir08"]
    with rasterio.open(tmp_path / "sharp.tif") as dataset:
        assert image["proj:shape"] == list(dataset.shape)
        assert rasterio.Affine(*image["proj:transform"]) == dataset.transform
        west, south, east, north = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    assert result["bbox"] == pytest.approx([west, south, east, north], abs=1e-5)
    broken = json.loads(json.dumps(result))
    broken["assets"]["sharpened"]["file:checksum"] = "no checksum"
    with pytest.raises(AssertionError):
        require_valid(broken)


def test_without_a_time_there_is_no_item_and_no_work(scene, tmp_path):
    files = scene / "pan.tif", scene / "ms.tif", tmp_path / "sharp.tif"
    done = panflow("sharpen", *files, "-m", "brovey", "--stac")
    assert (done.returncode, list(tmp_path.iterdir())) == (3, [])
    assert "give --datetime" in done.stderr
    options = "--stac-file", tmp_path / "my.json", "--datetime", "2020-09-27 12:59+02:00"
    assert panflow("sharpen", *files, "-m", "brovey", "-q", *options).returncode == 0
    result = json.loads((tmp_path / "my.json").read_text())
    assert result["properties"]["datetime"] == WHEN
    require_valid(result)


PLATFORMS = {  # as providers write them, in Items and in metadata
    "gaofen1": "GF1",
    "gaofen2": "GF2",
    "geoeye1": "GE01",
    "ikonos": "ikonos-2",
    "landsat7": "LANDSAT_7",
    "landsat8": "landsat-8",
    "landsat9": "LANDSAT_9",
    "pleiades": "PHR1B",
    "pleiades_neo": "PNEO4",
    "quickbird": "QB02",
    "spot6": "SPOT6",
    "spot7": "spot-7",
    "worldview2": "WV02",
    "worldview3": "worldview-3",
    "worldview4": "WV04",
}


@pytest.mark.parametrize("name", [name for name in registry.names("sensors") if name != "generic"])
def test_an_item_of_every_sensor_in_and_out(tmp_path, name):
    sensor = load(name)
    synthetic.write(synthetic.scene(64, sensor, seed=1), tmp_path)
    names = [{"nir": "nir08", "nir1": "nir08", "nir2": "nir09"}.get(b.name, b.name) for b in sensor.bands]
    names = [{"red_edge": "rededge", "swir1": "swir16", "swir2": "swir22"}.get(b, b) for b in names]
    common = [band if band in stac.COMMON else "blue" for band in names]  # Pleiades Neo's deep blue has none
    assets = {"pan": asset("pan.tif", "pan", gsd=1), "ms": asset("ms.tif", *common, gsd=sensor.ratio)}
    (tmp_path / "item.json").write_text(json.dumps(item(assets, platform=PLATFORMS[name])))
    arguments = [str(tmp_path / "item.json"), str(tmp_path / "sharp.tif"), "-m", "brovey", "--stac", "-q"]
    assert cli.run(["sharpen", *arguments]) == 0
    result = json.loads((tmp_path / "sharp.json").read_text())
    require_valid(result)
    assert result["properties"]["panflow:sensor"] == name
    assert result["properties"]["platform"] == PLATFORMS[name].lower().replace("_", "-")
    bands = result["assets"]["sharpened"]["bands"]
    assert [band["eo:common_name"] for band in bands if "eo:common_name" in band] == [
        band for band in names if band in stac.COMMON
    ]
    assert [band["eo:center_wavelength"] for band in bands] == [band.wavelength / 1000 for band in sensor.bands]


DELIVERED = {  # layout: acquisition, as the metadata beside the images say it
    "landsat": ("2015-08-04T16:19:21.791742Z", "landsat-8"),
    "dimap": ("2013-02-18T11:07:14.800000Z", "phr-1a"),
    "maxar": ("2016-02-12T02:51:06.123456Z", "wv02"),
}


@pytest.mark.parametrize("layout", DELIVERED)
def test_metadata_of_delivered_folders_give_time_and_platform(tmp_path, layout):
    folder = tmp_path / "scene"
    if layout == "landsat":
        layouts.landsat(folder)
    else:
        draw, kinds = {"dimap": (layouts.dimap, ("P", "MS")), "maxar": (layouts.maxar, ("PAN", "MUL"))}[layout]
        draw(folder, kinds[0], 1, 64, 0.5)
        draw(folder, kinds[1], 4, 16, 2.0)
    assert cli.run(["sharpen", str(folder), str(tmp_path / "sharp.tif"), "-m", "exp", "--stac", "-q"]) == 0
    result = json.loads((tmp_path / "sharp.json").read_text())
    require_valid(result)
    assert (result["properties"]["datetime"], result["properties"]["platform"]) == DELIVERED[layout]


def test_a_real_folder_gives_time_and_platform(shared):
    taken = acquisition(find(shared / "data/open/landsat8-gulf-coast"), None)
    assert taken == dict(zip(("datetime", "platform"), DELIVERED["landsat"]))  # the same pass


def located(path: Path, crs: str | None, west: float, north: float, pixel: float) -> rasterio.DatasetReader:
    grid = {"crs": crs, "transform": from_origin(west, north, pixel, pixel)} if crs else {}
    with rasterio.open(path, "w", driver="GTiff", width=10, height=10, count=1, dtype="uint8", **grid) as file:
        file.write(np.ones((1, 10, 10), "uint8"))
    return rasterio.open(path)


def test_a_scene_across_the_antimeridian_is_cut_there(tmp_path):
    with located(tmp_path / "x.tif", "EPSG:32760", 815_000, 8_000_000, 1000) as dataset:
        outline = stac._outline(dataset)
    west, south, east, north = outline["bbox"]
    assert 179 < west < 180 and -180 < east < -179 and south < north
    parts = [np.array(polygon[0]) for polygon in outline["geometry"]["coordinates"]]
    assert outline["geometry"]["type"] == "MultiPolygon" and len(parts) == 2
    assert (parts[0][:, 0] > 179).all() and (parts[1][:, 0] < -179).all()
    assert parts[0][:, 0].max() == 180 and parts[1][:, 0].min() == -180


def test_what_lies_nowhere_has_no_geometry_and_no_size_on_the_ground(tmp_path):
    with located(tmp_path / "x.tif", None, 0, 0, 1) as dataset:
        assert stac._outline(dataset) == {"geometry": None}
        assert "raster:spatial_resolution" not in stac._asset(dataset, load("generic"))


def test_a_static_catalog_to_a_collection(scene, tmp_path):
    """Catalog, collection and Items in folders of their own; one Item cannot be used."""
    deep = {key: image | {"href": f"../../{Path(image['href']).name}"} for key, image in IKONOS.items()}
    found = {"one": item(deep), "two": item(deep), "empty": item({})}
    for name, one in found.items():
        (scene / "items" / name).mkdir(parents=True)
        (scene / f"items/{name}/{name}.json").write_text(json.dumps(one | {"id": name}))
    links = [{"rel": "root", "href": "../catalog.json"}]
    links += [{"rel": "item", "href": f"./{name}/{name}.json"} for name in found]
    (scene / "items/collection.json").write_text(json.dumps({"type": "Collection", "links": links}))
    links = [{"rel": "child", "href": "./items/collection.json"}]
    (scene / "catalog.json").write_text(json.dumps({"type": "Catalog", "links": links}))
    done = panflow("batch", scene / "catalog.json", tmp_path / "out", "-m", "brovey", "--stac", "--workers", "1")
    assert done.returncode == 5, done.stderr
    assert "failed: empty" in done.stderr
    result = json.loads((tmp_path / "out/panflow-batch.json").read_text())
    assert [feature["id"] for feature in result["features"]] == ["one", "two"]
    for feature in result["features"]:
        require_valid(feature)
        assert (tmp_path / "out" / feature["assets"]["sharpened"]["href"]).exists()
        source = Path(feature["links"][0]["href"])
        assert source.is_absolute() and json.loads(source.read_text())["id"] == feature["id"]
    again, _ = rows(str(tmp_path / "out/panflow-batch.json"), tmp_path)
    assert "0 PAN assets" in again[0].error  # a result is no scene


@pytest.mark.parametrize("name", ["bandwise", "otfm"])
def test_models_have_cards(name):
    from panflow.learned.card import card

    result = card(name)
    require_valid(result)
    data = registry.path("models", name).read_bytes()
    assert result["assets"]["weights"]["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
    assert result["properties"]["mlm:total_parameters"] > 10_000
