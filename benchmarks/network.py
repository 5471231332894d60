"""The learned default on a CPU: its network against the machine's convolution peak, and scenes end to end.

    python benchmarks/network.py [--bands 4 8] [--folder DIR --sizes 2560] [--seconds 2]

All in one run, by CPU time: the peak is a 3x3 convolution 128 -> 128 of one 128 x 128 map, a thread a core; the network
is asked in the blocks that scenes use, a thread a core; "eager" is the same network in float32, one tile of 1024 pixels
a side: plain as torch keeps images (NCHW), and as it trains (channels last). Scenes are timed by the clock, and the
fastest runtime's network before and after each, since the processor's clock changes.
Floating-point operations are those of convolutions. Prints Markdown tables.
"""

import argparse
import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from _scenes import make
from threadpoolctl import threadpool_limits
from torch import nn

from panflow import registry, zoo
from panflow.learned.blocks import SIDE, SIDE_BAND_BY_BAND
from panflow.learned.runtime import backend
from panflow.learned.runtime._backend import random_inputs
from panflow.ops.memory import keep_freed

CORES = os.cpu_count() or 1
TILE = 1024  # of a scene, which is cut into blocks


def repeat(work, seconds: float) -> int:
    """How often it was called in so many seconds, twice at least."""
    with torch.inference_mode():
        started, done = time.perf_counter(), 0
        while done < 2 or time.perf_counter() - started < seconds:
            work()
            done += 1
        return done


def rate(work, seconds: float) -> float:
    """Calls a second when a thread a core makes them, by the CPU time that they take: what else runs then counts
    little."""
    with ThreadPoolExecutor(CORES, initializer=threadpool_limits, initargs=(1,)) as pool:
        list(pool.map(lambda _: (work(), time.sleep(0.1)), range(CORES)))
        started = time.process_time()
        done = sum(pool.map(lambda _: repeat(work, seconds), range(CORES)))
        return done * CORES / (time.process_time() - started)


def convolution(dtype: torch.dtype, side: int) -> tuple[Callable, float]:
    """The big convolution, to be called, and its GFLOP."""
    layer = nn.Conv2d(128, 128, 3, padding=1).to(dtype).to(memory_format=torch.channels_last)
    x = torch.randn(1, 128, side, side).to(dtype).to(memory_format=torch.channels_last)
    return lambda: layer(x), 2 * 9 * 128 * 128 * side**2 / 1e9


def peak(dtype: torch.dtype, seconds: float) -> float:
    """GFLOP/s of the big convolution of maps that stay in the cache."""
    work, each = convolution(dtype, 128)
    return rate(work, seconds) * each


def shared(seconds: float) -> float:
    """GFLOP/s in bfloat16 of one of a large map that all cores share, by the clock: where freed memory is not kept yet,
    what a plain script reaches."""
    work, each = convolution(torch.bfloat16, 512)
    repeat(work, 0)
    started = time.perf_counter()
    return repeat(work, seconds) * each / (time.perf_counter() - started)


def operations(network: nn.Module) -> int:
    """Of the convolutions, per PAN pixel and band."""
    return sum(2 * m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d))


def plain(network: nn.Module) -> nn.Module:
    """The network with every convolution of images as torch keeps them by itself, channels first."""
    made = copy.deepcopy(network)
    for layer in made.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda _, given: (given[0].contiguous(),))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bands", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--runtimes", nargs="+", default=["torch", "bf16", "openvino", "onnx"])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--no-eager", action="store_true", help="Leave out the slow comparison.")
    parser.add_argument("--folder", type=Path, help="Also sharpen scenes, which are made in this folder.")
    parser.add_argument("--pan", type=Path)
    parser.add_argument("--ms", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2560])
    options = parser.parse_args()
    plainly = shared(options.seconds)
    keep_freed()
    network = zoo.load(device="cpu").network
    each = operations(network)
    peaks = {dtype: peak(dtype, options.seconds) for dtype in (torch.float32, torch.bfloat16)}
    print(f"{CORES} cores; peak {peaks[torch.float32]:.0f} GFLOP/s in float32, {peaks[torch.bfloat16]:.0f} in bfloat16")
    print(f"a plain script, one convolution of 512 x 512 pixels on all cores: {plainly:.0f} in bfloat16\n")
    print("| bands | network | MPix/s | GFLOP/s | of the bfloat16 peak | against eager NCHW |")
    print("| --- | --- | --- | --- | --- | --- |")
    best: dict[int, tuple] = {}
    for bands in options.bands:
        eager = float("nan")
        forms = {} if options.no_eager else {"channels last": network, "NCHW": plain(network)}
        for form, asked in forms.items():
            state, inputs = random_inputs(network, {"bands": bands}, (1024, 1024))
            with torch.inference_mode():
                started = time.process_time()
                asked(*state, **inputs)
                eager = 1024**2 / 1e6 / (time.process_time() - started) * CORES
            rated = f"{eager:.3f} | {eager * each * bands / 1e3:.0f}"
            print(f"| {bands} | eager, 1024 tile, {form} | {rated} | | |", flush=True)
        for name in options.runtimes:
            if registry.get("runtimes", name).missing():
                continue
            answers = backend(name, network)
            side = TILE // -(-TILE // SIDE_BAND_BY_BAND) // 8 * 8 if answers.band_by_band else SIDE
            side += 2 * network.halo
            state, inputs = random_inputs(network, {"bands": bands}, (side, side))

            def speed_of(answers=answers, state=state, inputs=inputs, side=side) -> float:
                return rate(lambda: answers(*state, **inputs), options.seconds) * side**2 / 1e6

            found = speed_of()
            best[bands] = max(best.get(bands, (0.0, speed_of)), (found, speed_of), key=lambda each: each[0])
            flops = found * each * bands / 1e3
            share = flops / peak(torch.bfloat16, options.seconds)  # beside it, since the clock changes
            print(
                f"| {bands} | {name}, {side} block | {found:.3f} | {flops:.0f} | {share:.0%} | {found / eager:.1f} |",
                flush=True,
            )
    if options.folder:
        print("\n| scene | MPix/s | wall s | network beside it, MPix/s | of its speed |")
        print("| --- | --- | --- | --- | --- |")
        for size in options.sizes:
            for bands in options.bands:
                pan, ms = make(options.folder, size, bands, options.pan, options.ms)
                out = options.folder / "out.tif"
                command = [Path(sys.executable).with_name("panflow"), "sharpen", pan, ms, out, "--sensor", "worldview2"]
                command += ["--format", "gtiff", "--overwrite", "--quiet"]
                before, started = best[bands][1](), time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                wall = time.perf_counter() - started
                speed, found = (before + best[bands][1]()) / 2, size**2 / 1e6 / wall
                told = f"{found:.3f} | {wall:.1f} | {speed:.3f} | {found / speed:.0%}"
                print(f"| {size}, {bands} bands | {told} |", flush=True)
                out.unlink()


if __name__ == "__main__":
    main()
