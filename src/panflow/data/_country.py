"""What fills the blocks of a synthetic place outside the town: fields, woods, parks.

Every function draws one block (u0, u1, v0, v1) in the place's metres.
"""

from __future__ import annotations

import numpy as np

from panflow.data._place import LAWN, Block, Place


def fields(place: Place, block: Block) -> None:
    """One or two fields with rows, tramlines and a headland; trees here and there along the edge."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    cut = v0 + (v1 - v0) * rng.uniform(0.35, 0.65) if rng.random() < 0.5 else v1
    for low, high in ((v0, cut), (cut + 1, v1)):
        if high - low < 12:
            continue
        crop = str(rng.choice(["crop", "crop", "ripe", "soil", "soil", "dry_grass", "grass"]))
        base, tone = rng.uniform(0.1, 0.5), rng.uniform(0.85, 1.12)
        canvas.fill(frame.area(u0, u1, low, high), crop, mix=base, tone=tone)
        us, row = np.linspace(u0 + 4, u1 - 4, 24), rng.uniform(1.5, 3.2)
        if crop in ("crop", "ripe", "soil"):
            for v in np.arange(low + 4, high - 3, row):
                canvas.stroke(frame(us, v), row * 0.45, mix=min(1.0, base + rng.uniform(0.22, 0.42)), tone=tone * 0.93)
        for v in np.arange(low + 7, high - 5, rng.uniform(14, 20)):
            for side in (-0.9, 0.9):
                canvas.stroke(frame(us, v + side), 0.5, "soil", mix=0.35)
    for u in np.arange(u0, u1, 4.5):
        if rng.random() < 0.22:
            place.tree(frame(u, v0 + rng.uniform(-1, 1)), rng.uniform(1.4, 3.6))


def woods(place: Place, block: Block) -> None:
    """A wood: crown beside crown, with clearings."""
    kinds = [("leaves", "dark_leaves", "leaves"), ("conifer", "dark_leaves"), ("leaves", "conifer")]
    place.canvas.fill(place.frame.area(*block), "dark_leaves", tone=0.55)
    scatter(place, block, 0.045, (2.0, 4.4), kinds[int(place.rng.integers(3))])


def park(place: Place, block: Block) -> None:
    """Lawns with groups of trees, winding paths and a pond."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    canvas.fill(frame.area(*block), "grass", mix=rng.uniform(0.1, 0.4))
    us = np.linspace(u0, u1, 40)
    for phase in rng.uniform(0, 6.3, 2):
        vs = (v0 + v1) / 2 + (v1 - v0) * 0.32 * np.sin(us / rng.uniform(14, 24) + phase)
        canvas.stroke(frame(us, vs), 2.2, "sand", tone=0.8)
    t = np.linspace(0, 2 * np.pi, 60)
    reach = 1 + 0.2 * np.sin(2 * t + rng.uniform(0, 6)) + 0.12 * np.sin(3 * t + rng.uniform(0, 6))
    middle = (rng.uniform(u0 + 28, u1 - 28), (v0 + v1) / 2)
    for grow, material in ((1.12, "dry_grass"), (1.04, "wet_soil"), (1.0, "water")):
        pond = frame(middle[0] + 20 * grow * reach * np.cos(t), middle[1] + 13 * grow * reach * np.sin(t))
        canvas.fill(pond, material, mix=0.3)
    scatter(place, block, 0.008, (1.8, 4.8), ("leaves", "dark_leaves", "conifer"))


def scatter(place: Place, block: Block, density: float, radii: tuple[float, float], kinds: tuple[str, ...]) -> None:
    """Trees at `density` per square metre wherever the ground is green."""
    u0, u1, v0, v1 = block
    rng, step = place.rng, density**-0.5
    for u in np.arange(u0 + 1, u1 - 1, step):
        for v in np.arange(v0 + 1, v1 - 1, step):
            point = place.frame(*(np.array([u, v]) + rng.uniform(-0.5, 0.5, 2) * step))
            if rng.random() < 0.93 and place.canvas.is_on(point[None], (*LAWN, "dark_leaves")):
                place.tree(point, rng.uniform(*radii), kinds)
