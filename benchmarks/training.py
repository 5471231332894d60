"""Training speed: patches a second of panflow's loop, data preparation included, beside a plain loop.

    python benchmarks/training.py [--networks fusionnet otfm bandwise] [--steps 8] [--threads 2]

All in one run, interleaved, 4 bands, 32 patches of 64 x 64 a step. "plain loop": the same network, forward, backward
and AdamW in float32 on a batch that lies ready; the others are `panflow train`'s steps: on a batch that lies ready, and
with the pairs that it makes on the way (drawn scenes, blurred, decimated, moved). Prints a Markdown table.
"""

import argparse
import statistics
import time

import torch

from panflow.training import recipe as recipes
from panflow.training.loop import Training, ahead
from panflow.types import NOTHING

BATCH, PATCH, BANDS = 32, 64, 4
NETWORKS = {
    "fusionnet": {"name": "fusionnet", "bands": BANDS},
    "otfm": {"name": "otfm", "bands": BANDS, "size": "tiny"},
    "bandwise": {"name": "bandwise"},
}


def training(network: str, bfloat16: bool, ahead: int) -> Training:
    settings = recipes.typed(
        {
            "network": NETWORKS[network],
            "transform": {"name": "unipan", "fit": "scene"},
            "objective": {"name": "regression"},
            "data": {"synthetic": 2, "synthetic_sensors": ["ikonos"], "batch": BATCH, "patch": PATCH, "threads": ahead},
            "augment": {"ratios": [4], "bands": [BANDS]},
            "validation": {"every": 0},
            "run": {"steps": 1000, "bfloat16": bfloat16},
        }
    )
    made = Training(settings)
    made.begin()
    return made


def plain(made: Training, steps: int) -> float:
    """Seconds a step of forward, backward and AdamW in float32."""
    batch, network = made.batch(0), made.model.network
    network.to(memory_format=torch.contiguous_format)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    state = (torch.zeros_like(batch.target), torch.ones(len(batch.target))) if hasattr(network, "denoiser") else ()
    started = time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad(set_to_none=True)
        (network(*state, **(NOTHING | batch.inputs)) - batch.target).abs().mean().backward()
        optimiser.step()
    return (time.perf_counter() - started) / steps


def ready(made: Training, steps: int) -> float:
    """Seconds a step of the loop on one batch."""
    batch = made.batch(0)
    started = time.perf_counter()
    for _ in range(steps):
        made.step(batch)
    return (time.perf_counter() - started) / steps


def whole(made: Training, steps: int) -> float:
    """Seconds a step of the loop with its data."""
    started = time.perf_counter()
    for batch in ahead(made.batch, range(steps), made.settings.data.threads):
        made.step(batch)
    return (time.perf_counter() - started) / steps


def prepared(made: Training, steps: int) -> float:
    """Seconds a batch."""
    started = time.perf_counter()
    for step in range(steps):
        made.batch(step)
    return (time.perf_counter() - started) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| network | what | patches/s, median [min..max] | against the plain loop |")
    print("| --- | --- | --- | --- |")
    for network in options.networks:
        rows = {
            "plain loop, float32": (training(network, False, 0), plain),
            "a ready batch, float32": (training(network, False, 0), ready),
            "a ready batch, bfloat16": (training(network, True, 0), ready),
            "with data, bfloat16": (training(network, True, 0), whole),
            "with data made ahead, bfloat16": (training(network, True, 1), whole),
            "data alone": (training(network, True, 0), prepared),
        }
        for made, work in rows.values():
            work(made, 1)
        times = {name: [] for name in rows}
        for _ in range(options.rounds):
            for name, (made, work) in rows.items():
                times[name].append(work(made, options.steps))
        base = statistics.median(times["plain loop, float32"])
        for name, found in times.items():
            rates = sorted(BATCH / seconds for seconds in found)
            middle = statistics.median(found)
            spread = f"{BATCH / middle:.0f} [{rates[0]:.0f}..{rates[-1]:.0f}]"
            print(f"| {network} | {name} | {spread} | {base / middle:.2f} |", flush=True)


if __name__ == "__main__":
    main()
