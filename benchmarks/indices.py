"""Seconds that the indices of one pair take, beside torchmetrics and sewar where they are installed.

    python benchmarks/indices.py [--size 1024] [--bands 8] [--rounds 3] [--threads 2] [--double] [--cpu]

Every index is timed alone, from images to number, and then all together, sharing what they have in common. The
best of the rounds counts, which are interleaved, so that other work on the machine disturbs all alike. Definitions
differ where docs/use/indices.md says so. Prints a Markdown table.
"""

import argparse
import math
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from threadpoolctl import threadpool_limits

import panflow
from panflow.sensors import fit_bands, load

RATIO = 4


def scene(size: int, bands: int) -> dict[str, np.ndarray]:
    """Correlated texture around 800 counts as reference; fused, pan and ms made of it."""
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.normal(size=(bands + 1, size, size)), (0, 2, 2))
    reference = 800 + 900 * (texture[:1] + texture[1:])
    fused = reference + rng.normal(size=reference.shape) * 20
    low = reference.reshape(bands, size // RATIO, RATIO, size // RATIO, RATIO)
    return {"fused": fused, "pan": reference.mean(axis=0), "ms": low.mean(axis=(2, 4)), "reference": reference}


def ours(images: dict, sensor, double: bool, names: list[str]) -> dict[str, Callable[[], object]]:
    """panflow's indices one by one, with the inputs each needs, and all together."""
    needs = {name: import_module(f"panflow.indices.{name}").Index.needs for name in names}

    def one(name: str) -> Callable[[], object]:
        wanted = ("fused", "reference") if needs[name] == "reference" else ("fused", "pan", "ms")
        given = {key: images[key] for key in wanted}
        return lambda: panflow.assess(**given, indices=name, sensor=sensor, double=double)

    runs: dict[str, Callable[[], object]] = {name: one(name) for name in names}
    return runs | {"all": lambda: panflow.assess(**images, indices=names, sensor=sensor, double=double)}


def torchmetrics_runs(images: dict[str, torch.Tensor]) -> dict[str, Callable[[], object]]:
    from torchmetrics.functional import image as F

    f, p, m, r = (images[key][None] for key in ("fused", "pan", "ms", "reference"))
    p = p[None].expand(-1, f.shape[1], -1, -1)

    def low() -> torch.Tensor:  # what torchvision, where installed, does inside
        return torch.nn.functional.interpolate(p, size=m.shape[-2:], mode="bicubic", antialias=True)

    return {
        "sam": lambda: F.spectral_angle_mapper(f, r),
        "ergas": lambda: F.error_relative_global_dimensionless_synthesis(f, r, ratio=RATIO),
        "rmse": lambda: torch.sqrt(torch.mean((f - r) ** 2)),
        "psnr": lambda: F.peak_signal_noise_ratio(f, r, data_range=2047.0),
        "ssim": lambda: F.structural_similarity_index_measure(f, r, data_range=2047.0),
        "q_avg": lambda: F.universal_image_quality_index(f, r),
        "scc": lambda: F.spatial_correlation_coefficient(f, r),
        "d_lambda": lambda: F.spectral_distortion_index(f, m),
        "d_s": lambda: F.spatial_distortion_index(f, m, p, low()),
        "qnr": lambda: F.quality_with_no_reference(f, m, p, low()),
    }


def sewar_runs(images: dict[str, np.ndarray]) -> dict[str, Callable[[], object]]:
    from sewar import full_ref, no_ref

    f, m, r = (np.moveaxis(images[key], 0, -1).copy() for key in ("fused", "ms", "reference"))
    return {
        "sam": lambda: full_ref.sam(r, f),
        "ergas": lambda: full_ref.ergas(r, f, r=RATIO),
        "rmse": lambda: full_ref.rmse(r, f),
        "psnr": lambda: full_ref.psnr(r, f, MAX=2047),
        "ssim": lambda: full_ref.ssim(r, f, ws=11, MAX=2047),
        "q_avg": lambda: full_ref.uqi(r, f, ws=32),
        "scc": lambda: full_ref.scc(r, f),
        "q2n": lambda: full_ref.q2n(r, f, ws=32),
        "d_lambda": lambda: no_ref.d_lambda(m, f),  # its d_s and qnr take images of 8 bits only
    }


def seconds(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Infinity where it needs more memory than there is."""
    started = clock()
    try:
        run()
    except (MemoryError, RuntimeError):
        return math.inf
    return clock() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--bands", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--double", action="store_true", help="Compute in float64.  [default: float32]")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of all threads, where others use the machine.")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    torch.set_num_threads(options.threads)
    names = list(panflow.names("indices"))
    sensor = fit_bands(load("worldview3" if options.bands in (4, 8) else "generic"), options.bands)
    kind = np.float64 if options.double else np.float32
    arrays = {key: image.astype(kind) for key, image in scene(options.size, options.bands).items()}
    tensors = {key: torch.tensor(image) for key, image in arrays.items()}
    columns = {
        "panflow, NumPy, one thread": ours(arrays, sensor, options.double, names),
        "panflow, torch": ours(tensors, sensor, options.double, names),
    }
    if find_spec("torchmetrics"):
        columns["torchmetrics"] = torchmetrics_runs(tensors)
    if find_spec("sewar"):
        columns["sewar"] = sewar_runs(arrays)
    best: dict[tuple[str, str], float] = {}
    warnings.simplefilter("ignore")
    with threadpool_limits(1, user_api="blas"):  # NumPy's products are small: more threads wait for each other
        for _ in range(options.rounds):
            for name in [*names, "all"]:
                for column, runs in columns.items():
                    if name in runs:
                        best[column, name] = min(best.get((column, name), math.inf), seconds(runs[name], clock))
    unit = "CPU seconds" if options.cpu else "seconds"
    print(f"{options.size} x {options.size} x {options.bands}, {kind.__name__}, {options.threads} threads; {unit}\n")
    print(f"| index | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for name in [*names, "all"]:
        cells = [f"{best[column, name]:.3f}" if (column, name) in best else "" for column in columns]
        print(f"| {name} | {' | '.join(cells)} |")
    for other in list(columns)[2:]:
        shared = [name for name in names if (other, name) in best]
        sums = {c: sum(best[c, name] for name in shared) for c in (*list(columns)[:2], other)}
        cells = [f"{sums[c]:.3f}" if c in sums else "" for c in columns]
        print(f"| the {len(shared)} of {other}, one by one | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
