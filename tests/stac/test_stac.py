"""STAC: Items, ItemCollections and catalogs as scenes; Items of results and models, held to the schemas."""

import hashlib
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import rasterio
import rasterio.warp

from panflow.archive.rows import rows
from panflow.data import synthetic
from panflow.errors import InputError
from panflow.files import stac
from panflow.files.product import find
from panflow.files.remote import path_of
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


def test_a_catalog_to_a_collection(scene, tmp_path):
    found = [item(IKONOS) | {"id": name} for name in ("one", "two")] + [item({}) | {"id": "empty"}]
    (scene / "all.json").write_text(json.dumps(stac.collection(found)))
    done = panflow("batch", scene / "all.json", tmp_path / "out", "-m", "brovey", "--stac", "--workers", "1")
    assert done.returncode == 5, done.stderr
    assert "failed: empty" in done.stderr
    result = json.loads((tmp_path / "out/panflow-batch.json").read_text())
    assert [feature["id"] for feature in result["features"]] == ["one", "two"]
    for feature in result["features"]:
        require_valid(feature)
        assert (tmp_path / "out" / feature["assets"]["sharpened"]["href"]).exists()
    again, _ = rows(str(tmp_path / "out/panflow-batch.json"), tmp_path)
    assert "0 PAN assets" in again[0].error  # a result is no scene


@pytest.mark.parametrize("name", ["bandwise", "otfm"])
def test_models_have_cards(name):
    from panflow import registry
    from panflow.learned.card import card

    result = card(name)
    require_valid(result)
    data = registry.path("models", name).read_bytes()
    assert result["assets"]["weights"]["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
    assert result["properties"]["mlm:total_parameters"] > 10_000
