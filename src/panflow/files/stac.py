"""STAC Items: which of their assets are PAN and MS, and an Item of a result.

Read are Items of STAC 1.1 (`bands`) and before (`eo:bands`, `raster:bands`), ItemCollections, and static catalogs with
what they link to. Items are plain JSON; nothing but this file knows their fields.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import rasterio
from rasterio.warp import transform as transform_points

from panflow import __version__, sensors
from panflow.errors import InputError, MissingInput
from panflow.files.remote import AnyPath, Remote, gdal_options, is_remote, joined, path_of, plain, sha256, size_of
from panflow.files.scene import Scene
from panflow.types import Sensor

COMMON = {  # STAC's common names, in the order of wavelength, and ours
    "coastal": "coastal",
    "blue": "blue",
    "green": "green",
    "yellow": "yellow",
    "red": "red",
    "rededge": "red_edge",
    "rededge071": "red_edge",
    "nir": "nir",
    "nir08": "nir",
    "nir09": "nir2",
    "swir16": "swir1",
    "swir22": "swir2",
}
APART = {"visual", "overview", "thumbnail", "qa", "mask", "cloud", "saturation", "metadata"}  # roles and keys
IMAGES = re.compile(r"\.(?:tiff?|jp2|img|ntf|vrt)$", re.IGNORECASE)
DAYS = ("DATE_ACQUIRED", "SCENE_CENTER_TIME"), ("IMAGING_DATE", "IMAGING_TIME")  # tags of Landsat, of DIMAP
EPOCH = "1970-01-01"  # what GDAL says where it does not understand a date
TAG = "STAC_ITEM"  # of a scene: where the Item is that it was read from
EXTENSIONS = ("eo/v2.0.0", "projection/v2.0.0", "raster/v2.0.0", "file/v2.1.0", "processing/v1.2.0")
FARTHEST = 10_000  # Items and links that are followed from one catalog


def items(path: AnyPath) -> list[tuple[AnyPath, dict[str, Any]]]:
    """The Items of a file, and the place that each one's links are relative to: the Item itself, those of an
    ItemCollection, or all that a catalog links to. Raises InputError where the file is none of these, MissingInput."""
    return list(_items(path))


def _items(root: AnyPath) -> Iterator[tuple[AnyPath, dict[str, Any]]]:
    left = [root]  # the next one last
    seen: set[str] = set()
    while left:
        path = left.pop()
        place = str(path) if isinstance(path, Remote) else os.path.realpath(path)
        if place in seen:
            continue
        if len(seen) >= FARTHEST:
            raise InputError(f"{root}: expected a catalog of at most {FARTHEST} files")
        seen.add(place)
        document = _read(path)
        if is_item(document):
            yield path, document
        elif document.get("type") == "FeatureCollection":
            features = document.get("features")
            for item in features if isinstance(features, list) else []:
                if not is_item(item):
                    raise InputError(f"{path} holds features that are no STAC Items: expected stac_version in each")
                yield path, item
        elif document.get("type") in ("Catalog", "Collection"):
            links = [link for link in _objects(document.get("links")) if link.get("rel") in ("child", "item")]
            left += [path_of(_address(path, link)) for link in reversed(links) if link.get("href")]
        else:
            raise InputError(f"{path} is no STAC Item, ItemCollection or catalog")


def _object(value: Any) -> dict[str, Any]:
    """A JSON object; empty where there is something else, as documents of strangers may have."""
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def is_item(document: Any) -> bool:
    return isinstance(document, dict) and document.get("type") == "Feature" and "stac_version" in document


def _read(path: AnyPath) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: {error}") from None
    except FileNotFoundError:
        raise MissingInput(f"{path} does not exist: expected a STAC document") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} is no STAC document: expected a JSON object")
    return document


def scene_of(path: AnyPath, item: Mapping[str, Any]) -> Scene:
    """PAN and MS of an Item.

    PAN is the asset of a band whose common name is pan (or that is called so); MS the asset with most bands of common
    names, or all assets of one such band each, by wavelength, coarser than PAN where the Item says so. Raises
    InputError where there is no PAN, no MS, or more than one that could be meant.
    """
    properties = _object(item.get("properties"))
    name, platform = item.get("id", path), str(properties.get("platform") or "")
    assets = {key: asset for key, asset in _object(item.get("assets")).items() if _is_image(key, asset)}
    pans = [key for key, asset in assets.items() if _names(asset) == ["pan"]] or [
        key for key in assets if re.fullmatch(r"pan|panchromatic" + "|b8" * ("landsat" in platform.lower()), key, re.I)
    ]
    if len(pans) != 1:
        held = ", ".join(pans or assets)
        raise InputError(
            f"the STAC Item {name} has {len(pans)} PAN assets{' among' * (not pans)} ({held}): "
            "expected one whose band has the common name pan"
        )
    pan = assets[pans[0]]
    bands = {
        key: [COMMON[n] for n in names]
        for key, asset in assets.items()
        if key != pans[0] and (names := _names(asset)) and set(names) <= set(COMMON) and not _as_fine(asset, pan)
    }
    several = {key: names for key, names in bands.items() if len(names) > 1}
    most = [key for key, names in several.items() if len(names) == max(map(len, several.values()))]
    if len(most) > 1:
        raise InputError(f"the STAC Item {name} has {len(most)} MS assets ({', '.join(most)}): give PAN and MS files")
    order = list(dict.fromkeys(COMMON.values()))
    single = {names[0]: key for key, names in reversed(bands.items()) if len(names) == 1}
    if "landsat" in platform.lower():  # as its folders are read
        single.pop("coastal", None)
    chosen = most or [single[band] for band in order if band in single]
    if not chosen:
        raise InputError(f"the STAC Item {name} has no MS assets: expected bands with common names, as red and nir08")
    instruments = properties.get("instruments")
    family = [properties.get("constellation"), *(instruments if isinstance(instruments, list) else [])]
    tags = {"PLATFORM": platform, "CONSTELLATION": " ".join(str(word) for word in family if word)}
    tags |= {"DATETIME": str(properties.get("datetime") or ""), TAG: str(path.absolute())}
    return Scene.of(
        _address(path, pan),
        [_address(path, assets[key]) for key in chosen],
        bands=[band for key in chosen for band in bands[key]],
        tags={key: value for key, value in tags.items() if value},
    )


def _is_image(key: str, asset: Any) -> bool:
    if not isinstance(asset, dict) or not isinstance(asset.get("href"), str):
        return False
    roles = asset.get("roles")
    if {key.lower(), *(str(role).lower() for role in (roles if isinstance(roles, list) else []))} & APART:
        return False
    return str(asset.get("type", "")).startswith(("image/tiff", "image/jp2", "image/vnd.stac.geotiff")) or bool(
        IMAGES.search(str(plain(asset["href"])))
    )


def _bands(asset: Mapping[str, Any], *lists: str) -> list[dict[str, Any]]:
    """The first of some lists of bands that an asset has."""
    return next((bands for key in lists if (bands := _objects(asset.get(key)))), [])


def _names(asset: Mapping[str, Any]) -> list[str]:
    """Common names of an asset's bands, "" where a band has none."""
    bands = _bands(asset, "bands", "eo:bands")
    names = [str(band.get("eo:common_name") or band.get("common_name") or "") for band in bands]
    own = str(asset.get("eo:common_name") or "")
    return [own] if own and len(names) <= 1 else names


def _as_fine(asset: Mapping[str, Any], pan: Mapping[str, Any]) -> bool:
    """Whether the Item says that an image's pixels are as small as PAN's: then it was sharpened before."""
    mine, its = _pixels(asset), _pixels(pan)
    unit = next((unit for unit in mine if unit in its), None)
    return unit is not None and mine[unit] <= 1.01 * its[unit]


def _pixels(asset: Mapping[str, Any]) -> dict[str, float]:
    """The width of a pixel, as the fields of an Item say it, in metres or units of the reference system."""
    band = next(iter(_bands(asset, "bands", "raster:bands", "eo:bands")), {})
    transform = asset.get("proj:transform")
    width = transform[0] if isinstance(transform, list) and transform else None
    metres = [asset.get("raster:spatial_resolution"), band.get("raster:spatial_resolution")]
    metres += [band.get("spatial_resolution"), asset.get("gsd"), band.get("gsd")]
    widths = {"metre": next((v for v in metres if isinstance(v, (int, float))), None), "unit": width}
    return {unit: abs(float(v)) for unit, v in widths.items() if isinstance(v, (int, float))}


def _address(path: AnyPath, linked: Mapping[str, Any]) -> str:
    """Where what a link or an asset names lies, for a document at `path`."""
    href = str(linked.get("href"))
    if isinstance(path, Remote):
        return str(path.linked(href))
    href = href.removeprefix("file://")
    return href if is_remote(href) else str(joined(path.parent, href))


def moment(given: str | None, tags: Mapping[str, str]) -> str:
    """When a scene was taken, as STAC writes it: as given, or as its tags say. Raises InputError where neither does,
    since no Item may lack it."""
    last = {
        re.split(r"[.:/]", key)[-1].upper().removeprefix("IMAGERY_"): value.strip(' "') for key, value in tags.items()
    }
    days = (f"{last[day]}T{last[time]}" for day, time in DAYS if day in last and time in last)
    words = (given, last.get("DATETIME"), *days, last.get("FIRSTLINETIME"), last.get("ACQUISITIONDATETIME"))
    text = next((word for word in words if word and not word.startswith(EPOCH)), None)
    if text is None:
        raise InputError("a STAC Item needs the time of acquisition, which the sources do not say: give --datetime")
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{text!r} is no time: expected e.g. 2020-09-27T10:59:00Z (--datetime)") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return when.astimezone(UTC).isoformat().replace("+00:00", "Z")


def platform(tags: Mapping[str, str]) -> str:
    """The satellite as STAC names it; "" where the tags do not say it."""
    return re.sub(r"[\s_]+", "-", sensors.satellite(tags).strip().lower())


def item_of(
    out: AnyPath, file: AnyPath, acquisition: Mapping[str, str], report: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, Any]:
    """The Item of a result, to be written to `file`; acquisition: its datetime and, perhaps, platform (`moment`,
    `platform`); report: of the run, as a dictionary; tags: of the scene (`scene_of`)."""
    with rasterio.Env(**gdal_options(out)), rasterio.open(getattr(out, "gdal", out)) as dataset:
        asset = _asset(dataset, sensors.load(report["sensor"]))
        code = f"EPSG:{dataset.crs.to_epsg()}" if dataset.crs and dataset.crs.to_epsg() else None
        where = _outline(dataset)
        wkt = dataset.crs.to_wkt(version="WKT2_2019") if dataset.crs and not code else None
    asset |= {"href": _relative(out, file), "file:size": size_of(str(out)), "file:checksum": "1220" + sha256(out)}
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    run = {f"panflow:{key}": report[key] for key in KEPT if report.get(key) not in (None, "")}
    shift = "corrected" if report["shift_applied"] else "not corrected"
    properties = {
        **acquisition,
        **({"gsd": asset["raster:spatial_resolution"]} if where["geometry"] else {}),
        **({"proj:code": code} if code else {"proj:code": None, "proj:wkt2": wkt} if wkt else {}),
        "processing:software": {"panflow": __version__},
        "processing:version": __version__,
        "processing:datetime": now,
        "processing:lineage": f"MS sharpened by PAN with {report['method']}; offset of MS {shift}",
        **run,
    }
    source = [{"rel": "derived_from", "href": tags[TAG], "type": "application/geo+json"}] if TAG in tags else []
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [f"https://stac-extensions.github.io/{name}/schema.json" for name in EXTENSIONS],
        "id": plain(str(out)).stem,
        **where,
        "properties": properties,
        "links": source,
        "assets": {"sharpened": asset},
    }


KEPT = (
    "method",
    "sensor",
    "shift_pixels",
    "shift_applied",
    "shift_confidence",
    "fit_r2",
    "mtf_source",
    "mtf_gains",
    "verdict",
)


def _asset(dataset: rasterio.DatasetReader, sensor: Sensor) -> dict[str, Any]:
    sensor = sensors.fit_bands(sensor, dataset.count, [name or "" for name in dataset.descriptions])
    cog = dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
    ours: dict[str, str] = {}
    for theirs, name in COMMON.items():
        ours.setdefault(name, theirs)
    ours |= {"nir1": "nir08", "nir": "nir08", "nir2": "nir09"}
    nodata = dataset.nodata
    bands = []
    for i, band in enumerate(sensor.bands):
        values: dict[str, Any] = {"name": dataset.descriptions[i] or band.name}
        values |= {"eo:common_name": ours[band.name]} if band.name in ours else {}
        if np.isfinite(band.wavelength) and np.isfinite(band.width):
            values |= {
                "eo:center_wavelength": band.wavelength / 1000,
                "eo:full_width_half_max": band.width / 1000,
            }  # um
        if (dataset.scales[i], dataset.offsets[i]) != (1.0, 0.0):
            values |= {"raster:scale": dataset.scales[i], "raster:offset": dataset.offsets[i]}
        values |= {"unit": dataset.units[i]} if dataset.units[i] else {}
        bands.append(values)
    t = dataset.transform
    return {
        "type": "image/tiff; application=geotiff" + ("; profile=cloud-optimized" if cog else ""),
        "title": "sharpened image",
        "roles": ["data"],
        "proj:shape": list(dataset.shape),
        "proj:transform": list(t)[:6],
        **({"raster:spatial_resolution": float(np.hypot(t.a, t.d)) * _metres(dataset.crs)} if dataset.crs else {}),
        "data_type": dataset.dtypes[0],
        **({} if nodata is None else {"nodata": "nan" if np.isnan(nodata) else nodata}),
        "bands": bands,
    }


def _metres(crs: Any) -> float:
    """Of a unit of the CRS; of a degree, along the equator."""
    return 111_320.0 if crs.is_geographic else float(crs.linear_units_factor[1])


def _outline(dataset: rasterio.DatasetReader) -> dict[str, Any]:
    """geometry and bbox: the border of the image in longitude and latitude, against the clock, cut where it crosses
    the antimeridian (RFC 7946, 3.1.9); a geometry of None where the image is not georeferenced."""
    (h, w), t = dataset.shape, dataset.transform
    points = [t * corner for corner in ((0, 0), (0, h), (w, h), (w, 0))]
    if t.determinant > 0:  # rows run north
        points = points[::-1]
    xs, ys = transform_points(dataset.crs, "EPSG:4326", *zip(*points)) if dataset.crs else ([np.nan], [np.nan])
    if not np.isfinite([xs, ys]).all():
        return {"geometry": None}
    crosses = max(xs) - min(xs) > 180
    ring = [(x + 360 * (crosses and x < 0), y) for x, y in zip(xs, ys)]
    west, east = (f(x for x, _ in ring) for f in (min, max))
    bbox = [west, min(ys), east - 360 * crosses, max(ys)]
    rings = [_closed(ring)]
    if crosses:
        rings = [_closed(_beside(ring, 1)), _closed((x - 360, y) for x, y in _beside(ring, -1))]
    polygons = [[[[round(x, 8), round(y, 8)] for x, y in ring]] for ring in rings]
    kind, coordinates = ("MultiPolygon", polygons) if crosses else ("Polygon", polygons[0])
    return {"geometry": {"type": kind, "coordinates": coordinates}, "bbox": [round(v, 8) for v in bbox]}


def _closed(ring: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    points = list(ring)
    return [*points, points[0]]


def _beside(ring: Sequence[tuple[float, float]], side: int) -> list[tuple[float, float]]:
    """What of a polygon lies west (1) or east (-1) of the antimeridian."""
    result = []
    for (x, y), (u, v) in zip(ring, [*ring[1:], ring[0]]):
        if side * (180 - x) >= 0:
            result.append((x, y))
        if (180 - x) * (180 - u) < 0:
            result.append((180.0, y + (v - y) * (180 - x) / (u - x)))
    return result


def _relative(out: AnyPath, file: AnyPath) -> str:
    if type(out) is type(file) and out.absolute().parent == file.absolute().parent:
        return f"./{out.name}"
    return str(out.absolute())


def moved(href: str, file: AnyPath, folder: AnyPath) -> str:
    """An address relative to an Item's file, for a document in a folder."""
    if is_remote(href):
        return href
    target, base = joined(file.parent, href).absolute(), folder.absolute()
    return f"./{target.relative_to(base).as_posix()}" if base in target.parents else str(target)


def collection(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An ItemCollection."""
    return {"type": "FeatureCollection", "features": list(found)}


def may_be_document(path: AnyPath) -> bool:
    return path.suffix.lower() in (".json", ".geojson")


def scene_in(path: AnyPath) -> Scene | None:
    """That of a file with one Item; None where the file is no STAC document. Raises InputError where it has more."""
    if not is_document(_read(path)):
        return None
    found = items(path)
    if len(found) != 1:
        raise InputError(f"{path} holds {len(found)} STAC Items: expected one; panflow batch takes many")
    return scene_of(*found[0])


def is_document(values: Mapping[str, Any]) -> bool:
    return "stac_version" in values or values.get("type") in ("FeatureCollection", "Catalog", "Collection")


__all__ = [
    "TAG",
    "collection",
    "is_item",
    "item_of",
    "items",
    "may_be_document",
    "moment",
    "moved",
    "platform",
    "scene_in",
    "scene_of",
]
