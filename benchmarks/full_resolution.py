"""Scenes as they are delivered, sharpened and judged at full resolution, in tables (docs/evidence/full-resolution.md).

    python benchmarks/full_resolution.py --data DIR --ledger FILE [--rows '^default'] [--page PAGE]

Of every scene folder below DIR with a PAN of its own resolution (no `*-reduced*`), SIDE x SIDE PAN pixels around the
middle; sensor recognised or by the folder's name, MS registered and the MTF estimated from the whole scene as `panflow
sharpen` does. Every row is judged with the estimated MTF; beside HQNR stands that by the sensor's. "sensor's MTF" rows
are sharpened with the sensor's gains; methods that use no MTF have no such row. The ledger, a JSON line a row, keeps
what is done: run again, only what is missing is computed, and learned rows anew when the bundled weights change.
--rows: which of the rows that are missing to compute, a regular expression of their names; --page: puts the tables in
place of those that a page has from this script, instead of printing them.
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from evidence import OUTPUT
from quality import SENSORS

from panflow import zoo
from panflow.errors import PanflowError
from panflow.files.product import find
from panflow.files.source import Source
from panflow.indices._case import Case
from panflow.indices._sets import load
from panflow.ops.fill import fill
from panflow.pairs import doubled
from panflow.scene.opening import opened
from panflow.types import Pair, Sensor

INDICES = (
    "detail_gain", "detail_correlation", "band_gain", "band_correlation", "fine_colour", "r_sam", "r_ergas", "r_q",
    "d_lambda_k", "d_s", "d_rho", "hqnr",
)  # fmt: skip
SMALLEST = 128  # PAN pixels a side of a scene that says something


@dataclass(frozen=True)
class Row:
    label: str
    method: str
    mtf: str = "auto"
    options: tuple[tuple[str, object], ...] = ()

    @property
    def learned(self) -> bool:
        return self.method == zoo.DEFAULT


ROWS = (
    Row("`bt_h`", "bt_h"),
    Row("`gsa`", "gsa"),
    Row("`brovey`", "brovey"),
    Row("`mtf_glp_fs`", "mtf_glp_fs"),
    Row("`mtf_glp_fs`, sensor's MTF", "mtf_glp_fs", "sensor"),
    Row("`mtf_glp_hpm_r`", "mtf_glp_hpm_r"),
    Row("`mtf_glp_hpm_r`, sensor's MTF", "mtf_glp_hpm_r", "sensor"),
    Row("default", zoo.DEFAULT),
    Row("default, detail ms", zoo.DEFAULT, "raised", (("detail", "ms"),)),
    Row("default, adapt 60", zoo.DEFAULT, "auto", (("adapt", 60.0),)),
)


@dataclass(frozen=True)
class Place:
    """The middle of a scene, with the sensor's gains and with those that the scene shows."""

    name: str
    pair: Pair
    nominal: Sensor
    note: str

    def with_mtf(self, mtf: str) -> Pair:
        gains = {"auto": self.pair.sensor.gains, "sensor": self.nominal.gains}
        gains["raised"] = tuple(map(max, gains["auto"], gains["sensor"]))
        return replace(self.pair, sensor=self.nominal.with_gains(gains[mtf]))


def scenes(data: Path) -> Iterator[tuple[str, object]]:
    """Name and scene of the folders, those of the highest resolution first."""
    folders = [f for f in sorted(data.glob("*/*")) if f.is_dir() and "reduced" not in f.name]
    for folder in sorted(folders, key=lambda f: f.name.startswith("landsat")):
        try:
            scene = find(folder)
        except PanflowError:
            continue  # MS alone, or formats that are not scenes
        sensor = next((s for key, s in SENSORS.items() if folder.name.startswith(key)), "auto")
        yield folder.name, replace(scene, nodata=0.0, sensor="auto" if scene.tags else sensor)


def place(name: str, scene, side: int) -> Place | None:
    files = Source(scene)
    nominal = files.sensor
    files.close()
    with opened(scene) as ready:
        source = ready.source
        if min(source.size) < SMALLEST:
            return None
        top, left = (max(0, (n - side) // 2) for n in source.size)
        core = top, min(top + side, source.size[0]), left, min(left + side, source.size[1])
        gains = source.sensor.gains
        at = ", ".join(f"{v:.2f}" for v in np.mean(source.phase, axis=0))
        size = f"{core[1] - core[0]} x {core[3] - core[2]} of {source.size[0]} x {source.size[1]} PAN pixels"
        mean = f"MTF gain {np.mean(nominal.gains):.2f}, estimated {np.mean(gains):.2f}"
        note = f"{source.sensor.title}, {len(gains)} bands, {size}, phase {at}; {mean}"
        return Place(name, doubled(source.read(core, 0)), nominal, note)


def judged(fused: np.ndarray, place: Place) -> dict[str, float]:
    pair = place.pair
    case = Case(fill(fused, pair.pan_valid), pair.sensor, pair.ratio, None, pair, pair.pan_valid)
    values = {name: float(load(name)(case)[0]) for name in INDICES}
    named = replace(pair, sensor=place.nominal)
    told = replace(case, sensor=place.nominal, pair=named, cache={})
    return values | {"hqnr, sensor's MTF": float(load("hqnr")(told)[0])}


def digest() -> str:
    """Of the default's weights."""
    from panflow.learned.adapt import digest as of

    return of(zoo.load().network)[:12]


def table(results: dict[str, dict[str, float]], columns: list[str]) -> str:
    lines = [f"| | {' | '.join(columns)} |", "|" + " --- |" * (len(columns) + 1)]
    for label, values in results.items():
        lines.append(f"| {label} | {' | '.join(f'{values[c]:.3f}' for c in columns)} |")
    return "\n".join(lines)


def report(entries: dict[tuple[str, str], dict]) -> str:
    columns = [*INDICES, "hqnr, sensor's MTF"]
    names = list(dict.fromkeys(scene for scene, _ in entries))
    labels = [row.label for row in ROWS if any((scene, row.label) in entries for scene in names)]
    common = [label for label in labels if 2 * sum((scene, label) in entries for scene in names) > len(names)]
    whole = [scene for scene in names if all((scene, label) in entries for label in common)]
    middle = {
        label: {c: median(entries[scene, label]["values"][c] for scene in whole) for c in columns} for label in common
    }
    parts = [f"Median over the {len(whole)} scenes that have all of these rows:\n\n{table(middle, columns)}"]
    for scene in names:
        there = {label: entries[scene, label] for label in labels if (scene, label) in entries}
        values = {label: entry["values"] for label, entry in there.items()}
        parts.append(f"### {scene}\n\n{next(iter(there.values()))['note']}.\n\n{table(values, columns)}")
    return "\n\n".join(parts)


def write(page: Path, tables: str) -> None:
    """Puts the tables in place of those that the page has from this script."""
    commit = subprocess.check_output(["git", "merge-base", "HEAD", "main"], text=True)[:7]

    def anew(output) -> str:
        if "full_resolution.py" not in output[1]:
            return output[0]
        return f"Made by `{output[1]}`, {datetime.date.today()} ({commit}).\n\n{tables}\n\n<!-- end -->"

    page.write_text(OUTPUT.sub(anew, page.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rows", default="")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    lines = options.ledger.read_text().splitlines() if options.ledger.exists() else []
    ledger = {tuple(entry["key"]): entry for entry in map(json.loads, lines)}
    weights, entries = digest(), {}
    for name, scene in scenes(options.data):
        here = None
        for row in ROWS:
            key = (name, row.label, options.side, weights if row.learned else "")
            if key not in ledger:
                if not re.search(options.rows, row.label):
                    continue
                here = here or place(name, scene, options.side)
                if here is None:
                    break
                started = time.perf_counter()
                pair = here.with_mtf(row.mtf)
                fused = np.asarray(zoo.load(row.method, **dict(row.options)).fit([pair])(pair), dtype=np.float64)
                seconds = round(time.perf_counter() - started, 1)
                entry = {"key": key, "note": here.note, "seconds": seconds, "values": judged(fused, here)}
                with options.ledger.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
                ledger[key] = entry
                print(f"{name}, {row.label}: {seconds} s, judged in {time.perf_counter() - started - seconds:.0f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
            entries[name, row.label] = ledger[key]
    tables = report(entries)
    if options.page:
        write(options.page, tables)
    else:
        print(tables)


if __name__ == "__main__":
    main()
