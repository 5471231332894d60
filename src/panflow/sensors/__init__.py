"""The sensors: one TOML file each, read by `load`.

A file holds the published band edges in nm (`nm`; centre and width follow), the MTF gain of each band at the
Nyquist frequency of MS (`mtf`), PAN's, its spectral response (`response`, where it is published), the bit depth, the
source of the numbers, what its usual products of fewer bands hold (`products`) and by which marks its files are
recognised (`marks`, regular expressions).
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import PurePath
from typing import Any

from panflow import registry
from panflow.errors import InputError
from panflow.types import Band, Sensor

# Factors of the haze correction by band, defined for blue, green, red, NIR only [lolli2017].
HAZE = {"blue": 0.95, "green": 0.45, "red": 0.40, "nir": 0.05}
# Other words for a band, as files write them (lower case, words joined by underscores).
ALIASES = {
    **{"b": "blue", "g": "green", "r": "red", "re": "red_edge", "n": "nir", "db": "deep_blue"},
    **{"near_infrared": "nir", "nearinfrared": "nir", "infrared": "nir", "nir_1": "nir1", "nir_2": "nir2"},
    **{"rededge": "red_edge", "deepblue": "deep_blue", "coastal_blue": "coastal", "coastal_aerosol": "coastal"},
    "nir1": "nir",  # where the sensor has but one
}
# Metadata in which satellites name themselves: GDAL's readers, Landsat MTL, DIMAP, Maxar IMD, Gaofen XML.
SATELLITE_TAGS = (
    "panflow_sensor",  # files that panflow wrote
    "satelliteid",
    "satid",
    "spacecraft_id",
    "landsat_product_id",
    "satellite",
    "platform",
    "constellation",
)


@cache
def _facts(name: str) -> dict[str, Any]:
    return tomllib.loads(registry.path("sensors", name).read_text(encoding="utf-8"))


def _band(name: str, nm: tuple[float, float], mtf: float, **_: Any) -> Band:
    low, high = nm
    return Band(name, (low + high) / 2, float(high - low), mtf)


def _with(sensor: Sensor, bands: tuple[Band, ...]) -> Sensor:
    """The sensor with these bands, and haze factors where they are exactly blue, green, red and NIR."""
    names = [band.name.replace("nir1", "nir") for band in bands]
    haze = tuple(HAZE[name] for name in names) if sorted(names) == sorted(HAZE) else ()
    return replace(sensor, bands=bands, haze=haze)


@cache
def load(name: str) -> Sensor:
    """The sensor of a name; an unknown name is an UnknownName that tells the nearest."""
    facts = _facts(name)
    pan = _band("pan", **facts["pan"])
    response = tuple((float(nm), float(share)) for nm, share in facts.get("response", ()))
    about = {"source": facts["source"], "response": response}
    sensor = Sensor(name, facts["title"], (), float(facts["ratio"]), facts["bits"], pan, **about)
    return _with(sensor, tuple(_band(**band) for band in facts["bands"]))


def role(word: str) -> str:
    """A band's name as sensors have it, of one as files write it."""
    word = re.sub(r"[-\s]+", "_", word.strip().lower())
    word = re.sub(r".*_(?=b\d$)", "", word)  # Landsat's ..._SR_B2
    return ALIASES.get(word, word)


def find(word: str, bands: Sequence[Sequence[str]]) -> int:
    """The place of the one band (0-based) that a word means, by its number from 1 or by one of its names. Raises
    InputError."""
    if re.fullmatch("[0-9]{1,9}", word) and 1 <= int(word) <= len(bands):
        return int(word) - 1
    meant = [k for k, names in enumerate(bands) if role(word) in [role(name) for name in names if name]]
    if len(meant) != 1:
        expected = ", ".join(next(filter(None, names), str(k)) for k, names in enumerate(bands, 1))
        raise InputError(f"band {word!r}: expected one of {expected}, or its number from 1 to {len(bands)}")
    return meant[0]


def _named(sensor: Sensor, names: list[str] | None) -> list[Band] | None:
    """The sensor's bands that the band names of files mean, or None where one of them is not understood."""
    bands = {band.name: band for band in sensor.bands}
    facts = [f for f in _facts(sensor.name)["bands"] if f["name"] in bands]  # a selected sensor has some of them
    bands |= {f["id"].lower(): bands[f["name"]] for f in facts if "id" in f}
    if "nir1" in bands:
        bands["nir"] = bands["nir1"]  # where there are two, the usual one
    words = [re.sub(r"[-\s]+", "_", (name or "").strip().lower()) for name in names or [""]]
    words = [re.sub(r".*_(?=b\d$)", "", word) for word in words]  # Landsat's ..._SR_B2
    named = [bands.get(word) or bands.get(ALIASES.get(word, "")) for word in words]
    return None if None in named or len(set(named)) < len(named) else named  # type: ignore[return-value]


def select(sensor: Sensor, indices: Sequence[int]) -> Sensor:
    """The sensor with some of its bands, in the order given (0-based). InputError where it has not so many."""
    if wrong := [i for i in indices if not 0 <= i < len(sensor.bands)]:
        raise InputError(f"no band {wrong[0]}: {sensor.name} has {len(sensor.bands)} here, counted from 0")
    return sensor.select(indices)


def fit_bands(sensor: Sensor, count: int, names: list[str] | None = None) -> Sensor:
    """The sensor as an MS image of `count` bands has it.

    Band names of the file decide where all of them are understood. Else the bands are taken to be all of the
    sensor's, or its usual product of that many (blue, green, red, NIR; red, green, blue), in file order.
    `generic` takes any number: standard names keep their wavelength, others have none (nan) and gain 0.30.
    """
    if names is not None and len(names) != count:
        raise InputError(f"the MS image has {count} bands and came with {len(names)} band names: give one a band")
    if (named := _named(sensor, names)) and len(named) == count:
        return _with(sensor, tuple(named))
    if sensor.name == "generic" and count > 0:
        words = [(names or [""] * count)[i] or f"band{i + 1}" for i in range(count)]
        plain = [Band(word, math.nan, math.nan, sensor.bands[0].mtf) for word in words]
        fitted = [_named(sensor, [word]) or [band] for word, band in zip(words, plain)]
        return _with(sensor, tuple(bands[0] for bands in fitted))
    everything = [band.name for band in sensor.bands]
    products = [everything, *_facts(sensor.name).get("products", []), ["red", "green", "blue"]]
    for product in products:
        if len(product) == count:
            return _with(sensor, tuple(band for name in product for band in sensor.bands if band.name == name))
    counts = " or ".join(f"{len(product)} ({', '.join(product)})" for product in products)
    raise InputError(
        f"{sensor.title} has {counts} bands, the MS image has {count}: "
        f"select its bands, name them, or take the sensor 'generic'"
    )


def _recognise(text: str) -> set[str]:
    """The sensors whose marks stand in a text, as whole words."""
    return {
        name
        for name in registry.names("sensors")
        if any(re.search(rf"(?<![a-z])(?:{m})(?![a-z0-9])", text, re.IGNORECASE) for m in _facts(name)["marks"])
    }


def _satellites(tags: Mapping[str, str]) -> dict[str, str]:
    """What tags call the satellite, the most trustworthy first."""
    last = {re.split(r"[.:/]", key)[-1].lower().removeprefix("imagery_"): value for key, value in tags.items()}
    result = {key: last[key].strip('" ') for key in SATELLITE_TAGS if key in last}
    if "mission" in last:  # DIMAP
        result["mission"] = f"{last['mission']} {last.get('mission_index', '')}".strip()
    return result


def satellite(tags: Mapping[str, str]) -> str:
    """The satellite's name in the metadata of a scene; "" where they do not say it."""
    return next((text for key, text in _satellites(tags).items() if key != "panflow_sensor" and text), "")


def _evidence(tags: dict[str, str], path: str) -> list[tuple[str, str]]:
    """(where it stands, text), the most trustworthy first: satellite tags, file name, two folders above."""
    texts = [(f"its tag {key.upper()}", text) for key, text in _satellites(tags).items()]
    parts = PurePath(path.replace("\\", "/")).parts[-3:]
    texts += [("its file name", parts[-1])] if parts else []
    return texts + [("its folder", part) for part in reversed(parts[:-1])]


def fitting(count: int, ratio: float) -> list[str]:
    """The names of the sensors, generic aside, with products of `count` bands at this PAN to MS ratio."""

    def fits(name: str) -> bool:
        sizes = {len(_facts(name)["bands"]), 3} | {len(product) for product in _facts(name).get("products", [])}
        return count in sizes and abs(load(name).ratio - ratio) < 0.5

    return [name for name in registry.names("sensors") if name != "generic" and fits(name)]


def guess(
    tags: dict[str, str], count: int, ratio: float, names: list[str] | None = None, path: str = ""
) -> tuple[Sensor, str]:
    """The sensor of an MS image, fitted to its bands, and one sentence that says why.

    tags: the file's metadata, all domains in one; names: its bands' names, where it has them. Bands and ratio
    alone never decide, since many sensors share them: then it is `generic`, and the sentence says what fits.
    """
    why = "neither tags nor name tell the sensor"
    for place, text in _evidence(tags, path):
        fits = sorted(_recognise(text))
        if len(fits) > 1:
            why = f"{place} {text!r} fits more than one sensor ({', '.join(fits)})"
            break
        if fits:
            try:
                return fit_bands(load(fits[0]), count, names), f"{place} {text!r} says {fits[0]}"
            except InputError as error:
                why = f"{place} {text!r} says {fits[0]}, but {error}"
                break
    options = ", ".join(fitting(count, ratio)) or "none"
    reason = f"{why}; generic values are used (with {count} bands at ratio {ratio:g}, --sensor may be: {options})"
    return replace(fit_bands(load("generic"), count, names), ratio=ratio), reason
