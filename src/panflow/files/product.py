"""Scenes as they are delivered: which files of a folder are PAN and which are MS.

Every product is a row of `LAYOUTS`; reading the files is GDAL's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from panflow.errors import InputError, MissingInput
from panflow.files import stac
from panflow.files.remote import AnyPath, Remote, path_of
from panflow.files.scene import Scene


@dataclass(frozen=True)
class Layout:
    """How a product names its files.

    expected: the same in words, for a message. pan, ms, meta: regular expressions, without regard to case, for the
    whole path below the folder; meta: files that stand for the scene. Groups named `key...` agree between the files of
    one scene, `product` between those of one processing of it, `band` is the number of a single-band file. depth: how
    many folders down the files may lie.
    """

    expected: str
    pan: str
    ms: str
    meta: str = "(?!)"
    depth: int = 0
    bands: tuple[tuple[str, str], ...] = ()  # numbers of single-band files and the bands' names; none: Landsat's


RASTER = r"\.(?:tiff?|jp2|img|ntf|vrt)"
# Landsat's product identifier: sensor, level, path and row, date, processing date, collection, tier. Level 2 has no
# PAN, so the level and the processing date may differ between PAN and MS of one scene.
LANDSAT = r"(?P<product>(?P<key1>L[CEO]0[789])_L[12]\w\w_(?P<key2>\d{6}_\d{8})_\d{8}_\d\d_\w\w)"
DIMAP = r"(?:.*/)?DIM_(?=[^/]*?(?P<key1>\d{8}))(?P<key2>[A-Z]+\d[A-Z]?)_(?:[^/]*_)?"  # date; satellite
MAXAR = r"(?:.*/)?(?P<key>[^/]+)"  # order and part, as 055670633010_01_P001
CBERS = r"\d{8}_\d{3}_\d{3}_L\d\w?"  # date, path, row, level
LAYOUTS = (
    Layout(
        "Landsat (*_B8.TIF with *_B2.TIF to *_B7.TIF or *_SR_B2.TIF to *_SR_B7.TIF)",
        pan=LANDSAT + r"_B8\.tiff?",
        ms=LANDSAT + r"(?:_SR)?_B(?P<band>[1-7])\.tiff?",
        meta=LANDSAT + r"_MTL\.(?:txt|xml|json)",
    ),
    Layout(
        "Landsat bands of other names (B8 with B2 to B7, as words of the names)",
        pan=r"(?P<key1>(?:.*[-_. ])?)B8(?P<key2>(?:[-_ ].*)?)\.tiff?",
        ms=r"(?P<key1>(?:.*[-_. ])?)B(?P<band>[1-7])(?P<key2>(?:[-_ ].*)?)\.tiff?",
    ),
    Layout(
        "Pléiades or SPOT (DIM_*_P_*.XML with DIM_*_MS_*.XML)",
        pan=DIMAP + r"(?:P|PAN)_[^/]*\.xml",
        ms=DIMAP + r"(?:MS|MS-FS)_[^/]*\.xml",
        meta=DIMAP + r"[^/]*\.xml|(?:.*/)?VOL_[^/]*\.xml",
        depth=2,
    ),
    Layout(
        "Maxar (*_PAN/*.TIL with *_MUL/*.TIL)",
        pan=MAXAR + r"_PAN/[^/]+\.TIL",
        ms=MAXAR + r"_MUL/[^/]+\.TIL",
        meta=MAXAR + r"_(?:PAN|MUL)/[^/]+\.(?:TIL|IMD)",
        depth=2,
    ),
    Layout(
        "Maxar without .TIL (one *_PAN/*.TIF with one *_MUL/*.TIF)",
        pan=MAXAR + r"_PAN/[^/]+\.(?:tiff?|ntf)",
        ms=MAXAR + r"_MUL/[^/]+\.(?:tiff?|ntf)",
        meta=MAXAR + r"_(?:PAN|MUL)/[^/]+\.IMD",
        depth=2,
    ),
    Layout(
        "Gaofen (*-PAN1.tiff with *-MSS1.tiff)",
        pan=r"(?P<key1>.*)-PAN(?P<key2>\d?)\.tiff?",
        ms=r"(?P<key1>.*)-(?:MSS|MUX)(?P<key2>\d?)\.tiff?",
    ),
    Layout(
        "CBERS-4A (CBERS_4A_WPM_*_BAND0.tif with *_BAND1.tif to *_BAND4.tif)",
        pan=rf"(?P<key>CBERS_4A_WPM_{CBERS})_BAND0\.tiff?",
        ms=rf"(?P<key>CBERS_4A_WPM_{CBERS})_BAND(?P<band>[1-4])\.tiff?",
        bands=(("1", "blue"), ("2", "green"), ("3", "red"), ("4", "nir")),
    ),
    Layout(
        "CBERS-4 (CBERS_4_PAN5M_*_BAND1.tif with CBERS_4_PAN10M_*_BAND2.tif to *_BAND4.tif)",
        pan=rf"CBERS_4_PAN5M_(?P<key>{CBERS})_BAND1\.tiff?",
        ms=rf"CBERS_4_PAN10M_(?P<key>{CBERS})_BAND(?P<band>[2-4])\.tiff?",
        bands=(("2", "green"), ("3", "red"), ("4", "nir")),
    ),
    Layout(
        "bands named as Sentinel-2's beside a PAN (*_PAN.tif with *_B02.tif, *_B03.tif, *_B04.tif, *_B08.tif)",
        pan=rf"(?P<key>(?:.*[-_. ])?)pan{RASTER}",
        ms=rf"(?P<key>(?:.*[-_. ])?)B0(?P<band>[2348]){RASTER}",
        bands=(("2", "blue"), ("3", "green"), ("4", "red"), ("8", "nir")),
    ),
    Layout(
        "pan.tif with ms.tif, or *_pan.tif with *_ms.tif",
        pan=rf"(?P<key>(?:.*[-_. ])?)pan{RASTER}",
        ms=rf"(?P<key>(?:.*[-_. ])?)(?:ms|mss|mul){RASTER}",
    ),
)

# The six bands that Landsat 7, 8 and 9 share, from blue to the second short-wave infrared. The coastal band (B1 of 8
# and 9) serves aerosols and water colour and is left out, so that all three give the same image; files given one by
# one may hold it.
SIX = ("blue", "green", "red", "nir", "swir1", "swir2")
REACH = max(layout.depth for layout in LAYOUTS)  # folders below a scene's in which its files lie
DEPTH = 4  # folders below an archive's in which scenes are looked for
LANDSAT_BANDS = {"7": "123457", "8": "234567", "9": "234567"}


def find(path: AnyPath | str) -> Scene | None:
    """PAN and MS of a scene given as its folder, as a metadata file in it, or as a STAC Item.

    None where the path is neither: an image, which is read as it is, or nothing at all. Raises InputError where a
    folder or metadata file is not a scene that `LAYOUTS` knows, where MS is missing, or where more than one PAN or MS
    could be meant; the message names them.
    """
    path = path_of(path)
    if path.is_dir():
        return _search(path, "")
    if not path.is_file():
        return None
    if stac.may_be_document(path) and (scene := stac.scene_in(path)):
        return scene
    # A metadata file may lie beside PAN and MS, or in the folder of one of them, with the other's beside that folder.
    roots = [root for root in path.absolute().parents[:2] if _is_meta(_below(path, root))]
    for root in roots[:-1]:
        with suppress(InputError):
            return _search(root, _below(path, root))
    return _search(roots[-1], _below(path, roots[-1])) if roots else None


def named(inputs: Sequence[str], also: str = "") -> Scene:
    """PAN and MS as given, or those in the one folder or metadata file that was given; also: what a command wants
    besides, for its message. Raises InputError, MissingInput."""
    if len(inputs) > 1:
        return Scene.of(inputs[0], inputs[1:])
    wanted = f"PAN, MS{' and ' + also if also else ''}"
    if not inputs:
        raise InputError(f"expected {wanted}, or a scene folder{' and ' + also if also else ''}")
    scene = find(inputs[0])
    if scene is None:
        raise InputError(f"{inputs[0]} is no scene folder or metadata file that panflow knows: give {wanted}")
    return scene


def find_all(root: AnyPath | str) -> tuple[list[Scene], list[str]]:
    """Every scene below a folder, and the PAN and MS files that find no partner there.

    The deepest folders come first: what lies together belongs together, and a file serves one scene only. Within a
    folder the rules are those of `find`. Raises MissingInput where a folder cannot be read.
    """
    root = path_of(root)
    files: dict[Any, list[AnyPath]] = {}  # below a folder, as far down as layouts reach
    for path in _files(root, DEPTH + REACH):
        for folder in list(path.parents)[: min(REACH + 1, len(path.parts) - len(root.parts))]:
            files.setdefault(folder, []).append(path)
    folders = [folder for folder in files if len(folder.parts) - len(root.parts) <= DEPTH]
    products: list[Scene] = []
    used: set[str] = set()
    candidates: set[str] = set()
    for folder in sorted(folders, key=lambda f: (-len(f.parts), f)):
        for layout in LAYOUTS:
            names = _within(folder, (path for path in files[folder] if str(path) not in used), layout.depth)
            every = [m for name in names if (m := _match(layout.ms, name))]
            pans = [m for name in names if (m := _match(layout.pan, name))]
            candidates |= {str(folder / m.string) for m in pans + [m for m in every if "band" not in m.groupdict()]}
            for pan in pans:
                if not any(_keys(m) == _keys(pan) for m in every):
                    continue
                with suppress(InputError):  # several MS could be meant: they stay alone
                    if product := _product(folder, layout, pan, every, None):
                        products.append(product)
                        used |= {product.pan, *product.ms}
    return sorted(products, key=lambda p: p.pan), sorted(candidates - used)


def _below(path: AnyPath, root: AnyPath) -> str:
    return path.absolute().relative_to(root.absolute()).as_posix()


def _within(root: AnyPath, files: Iterable[AnyPath], depth: int) -> list[str]:
    """The names, below a folder, of those files that lie so many folders down at most."""
    return [name for path in files if (name := _below(path, root)).count("/") <= depth]


def _is_meta(name: str) -> bool:
    return any(_match(layout.meta, name) for layout in LAYOUTS)


def _files(folder: AnyPath, depth: int) -> Iterator[AnyPath]:
    if isinstance(folder, Remote):
        yield from (path for path, is_file in folder.walk(depth) if is_file)
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise MissingInput(f"{folder} cannot be read: {error.strerror}") from None
    for path in entries:
        if path.is_file():
            yield path
        elif depth and path.is_dir():
            yield from _files(path, depth - 1)


def _match(pattern: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, name, re.IGNORECASE)


def _keys(match: re.Match[str]) -> list[str]:
    return [value.lower() for group, value in match.groupdict().items() if group.startswith("key") and value]


def _search(root: AnyPath, meta: str) -> Scene:
    """The first layout of which the folder holds PAN and MS; only the scene of the metadata file where one is given."""
    lonely, files = "", list(_files(root, REACH))
    for layout in LAYOUTS:
        given = _match(layout.meta, meta)
        if meta and not given:
            continue
        names = _within(root, files, layout.depth)
        key = _keys(given) if given else []
        pans = [m for name in names if (m := _match(layout.pan, name)) and _keys(m) == (key or _keys(m))]
        every = [m for name in names if (m := _match(layout.ms, name))]
        paired = [pan for pan in pans if any(_keys(m) == _keys(pan) for m in every)]
        if len(paired) > 1:
            raise _ambiguous(root, "PAN images", [pan.string for pan in paired])
        if paired and (product := _product(root, layout, paired[0], every, given)):
            return product
        if pans and not lonely:
            lonely = f"the PAN image {pans[0].string} without MS of it; in all, "
    held = _within(root, files, 1)
    more = f" and {len(held) - 8} more" if len(held) > 8 else ""
    raise InputError(
        f"{root} is not a scene that panflow knows. It holds {lonely}{', '.join(held[:8]) or 'no files'}{more}. "
        f"Expected {'; '.join(layout.expected for layout in LAYOUTS)}. Or give the files: PAN MS [MS ...]"
    )


def _ambiguous(root: AnyPath, what: str, names: list[str]) -> InputError:
    return InputError(f"{root} holds {len(names)} {what}: {', '.join(names)}. Give the files meant: PAN MS [MS ...]")


def _product(
    root: AnyPath, layout: Layout, pan: re.Match[str], every: list[re.Match[str]], given: re.Match[str] | None
) -> Scene | None:
    """PAN with those of the MS files that belong to it; None where only unused bands do."""
    members = [m for m in every if _keys(m) == _keys(pan)]
    if layout.bands:
        files = {m["band"]: root / m.string for m in members}
        used = [(band, files[number]) for number, band in layout.bands if number in files]
        return Scene.of(root / pan.string, [file for _, file in used], bands=tuple(band for band, _ in used))
    if "band" in members[0].groupdict():
        return _numbered(root, pan, members, given)
    if len(members) > 1:
        raise _ambiguous(root, "MS images", [m.string for m in members])
    return Scene.of(root / pan.string, root / members[0].string)


def _numbered(
    root: AnyPath, pan: re.Match[str], members: list[re.Match[str]], given: re.Match[str] | None
) -> Scene | None:
    """Landsat's bands of `SIX` that are there, of one processing of the scene."""
    mark = r"(?<![a-z])(?:L[CEO]?|landsat[-_ ]?)0?([789])"
    satellite = re.search(mark, pan.string, re.I) or re.search(mark, root.absolute().name, re.I)
    tags = {"SPACECRAFT_ID": f"LANDSAT_{satellite[1]}"} if satellite else {}
    numbers = LANDSAT_BANDS[satellite[1] if satellite else "8"]
    sets: dict[str, dict[str, re.Match[str]]] = {}
    for m in members:
        if m["band"] in numbers:
            sets.setdefault(_processing(m), {})[m["band"]] = m
    # Level 1 and Level 2 may lie together: the processing of the metadata file given, else that of PAN.
    chosen = sets.get(_processing(given)) if given else None
    chosen = chosen or sets.get(_processing(pan)) or (next(iter(sets.values())) if len(sets) == 1 else None)
    if sets and chosen is None:
        raise _ambiguous(root, "processings of MS", list(sets))
    if not chosen:
        return None
    used = [(band, chosen[number]) for band, number in zip(SIX, numbers) if number in chosen]
    bands = tuple(band for band, _ in used)
    return Scene.of(root / pan.string, [root / m.string for _, m in used], bands=bands, tags=tags)


def _processing(match: re.Match[str]) -> str:
    return (match.groupdict().get("product") or "").upper()
