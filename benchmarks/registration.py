"""Offsets of MS that are known, measured and corrected: errors in PAN pixels, and what the correction buys.

    python benchmarks/registration.py --real DATA
    python benchmarks/registration.py [--size 768] [--methods bandwise gsa ...] [--fields NAME ...] [--register off ...]

A drawn scene is seen by an MS whose offset against its georeferencing is a field: constant, affine, like terrain, or
jitter along the track. Each is sharpened as georeferenced (off), with one offset (global) and with a field (auto).
Errors are those of the offset at every MS pixel; SAM and ERGAS are against the truth, 20 pixels from the border.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.files.scene import Scene
from panflow.ops import kernels
from panflow.ops.displacement_field import _resampled
from panflow.ops.resample import lowpass
from panflow.scene.opening import opened

HILLS = np.random.default_rng(3).uniform((0, 0, -2, -2), (1, 1, 2, 2), (6, 4))


def terrain(y, x):
    bumps = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.05) * np.array([c, d])[:, None, None] for a, b, c, d in HILLS]
    return sum(bumps)


FIELDS = {
    "none": lambda y, x: np.stack([0 * y, 0 * x]),
    "constant, 1.3 and -0.7": lambda y, x: np.stack([0 * y + 1.3, 0 * x - 0.7]),
    "constant, 13 and -15": lambda y, x: np.stack([0 * y + 13, 0 * x - 15]),
    "affine, 4 over the scene": lambda y, x: np.stack([3 * x - 1, 4 * y + x]),
    "like terrain": terrain,
    "jitter, three waves": lambda y, x: np.stack([0.6 * np.sin(6 * np.pi * y), 0.8 * np.cos(6 * np.pi * y)]),
}


def pair(size, field, folder):
    """Files of the scene, its truth and the offsets [2, h, w] of MS pixels."""
    drawn = synthetic.scene(size, sensors.load("ikonos"), seed=8)
    rows, columns = (p + np.arange(n) * r for p, n, r in zip(drawn.phase[0], drawn.ms_size, drawn.ratio))
    y, x = np.meshgrid(rows, columns, indexing="ij")
    offset = field(y / size, x / size)
    y, x = y + offset[0], x + offset[1]
    filters = [kernels.mtf(gain, drawn.ratio, 1e-6) for gain in drawn.sensor.gains]
    seen = [lowpass(drawn.reference[:, k : k + 1], one)[0] for k, one in enumerate(filters)]
    bands = [_resampled(image, None, y, x)[0] for image in seen]
    ms = np.concatenate(bands) + np.random.default_rng(0).normal(0, 2, drawn.ms[0].shape)
    for name, image, pixel in (("pan", drawn.pan[0], 1.0), ("ms", ms, 4.0)):
        count, height, width = image.shape
        profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "float32"}
        grid = {"crs": "EPSG:32631", "transform": Affine(pixel, 0, 5e5, 0, -pixel, 5e6)}
        with rasterio.open(folder / f"{name}.tif", "w", **profile, **grid) as dataset:
            dataset.write(image.astype("float32"))
    return drawn, offset, (rows, columns)


def of_real_pairs(data):
    """A table of what is measured of the pairs below a folder: no truth there, so windows held out decide."""
    print(
        "| pair | offset, one for all | R2, scatter | auto: varies by, R2 | local: varies by, R2 | s, of a processor |"
    )
    print("|" + " --- |" * 6)
    for pan in sorted(data.glob("*/*/pan.tif")):
        cells, seconds = [], []
        for how in ("global", "auto", "local"):
            started = time.process_time()
            with opened(Scene.of(pan, pan.with_name("ms.tif"), register=how, mtf="sensor"), 1) as ready:
                one = ready.offset
            seconds.append(f"{time.process_time() - started:.1f}")
            if how == "global":
                cells += ["{:+.2f}, {:+.2f}".format(*one.shift), f"{one.r2_after:.3f}, {one.scatter:.2f}"]
            else:
                cells.append(f"{one.field.largest:.2f}, {one.r2_after:.3f}" if one.field else "one for all")
        print(f"| {pan.parent.name} | " + " | ".join([*cells, ", ".join(seconds)]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--methods", nargs="+", default=["bandwise", "gsa", "bt_h", "mtf_glp_hpm_r"])
    parser.add_argument("--fields", nargs="+", default=list(FIELDS), choices=FIELDS, metavar="FIELD")
    parser.add_argument("--register", nargs="+", default=["off", "global", "auto"])
    parser.add_argument("--real", type=Path, metavar="DATA", help="pan.tif and ms.tif of DATA/*/*/ instead")
    options = parser.parse_args()
    if options.real:
        return of_real_pairs(options.real)
    print("| field | register | median, 95 % of the errors | s |" + "".join(f" {m} |" for m in options.methods))
    print("|" + " --- |" * (4 + len(options.methods)))
    for name in options.fields:
        field = FIELDS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            drawn, offset, places = pair(options.size, field, path)
            for how in options.register:
                started = time.perf_counter()
                with opened(
                    Scene.of(path / "pan.tif", path / "ms.tif", sensor="ikonos", register=how, mtf="sensor")
                ) as ready:
                    found = np.array(ready.shift)[:, None, None] * np.ones((2, 1, 1))
                    if ready.corrected and ready.offset.field:
                        found = found + ready.offset.field.at(*places)
                seconds = time.perf_counter() - started
                error = np.hypot(*(found - offset))
                row = [name, how, f"{np.median(error):.2f}, {np.quantile(error, 0.95):.2f}", f"{seconds:.2f}"]
                for method in options.methods:
                    out = path / "out.tif"
                    panflow.sharpen_file(path / "pan.tif", path / "ms.tif", out, method=method, sensor="ikonos",
                                         register=how, overwrite=True)  # fmt: skip
                    with rasterio.open(out) as dataset:
                        fused = dataset.read()[:, 20:-20, 20:-20].astype(float)
                    truth = drawn.reference[0][:, 20:-20, 20:-20]
                    found_scores = panflow.assess(fused, indices=["sam", "ergas"], reference=truth, sensor="ikonos")
                    row.append("{sam:.2f} / {ergas:.2f}".format(**found_scores))
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
