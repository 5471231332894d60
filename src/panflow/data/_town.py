"""What fills the blocks of a synthetic town: houses in gardens, blocks of flats, halls.

Every function draws one block (u0, u1, v0, v1) in the place's metres.
"""

from __future__ import annotations

import numpy as np

from panflow.data._country import scatter
from panflow.data._place import LAWN, Block, Place

ROOFS = ("red_tile", "red_tile", "red_tile", "brown_tile", "brown_tile", "slate", "gravel")


def houses(place: Place, block: Block) -> None:
    """Two rows of gardens back to back; in each a house, a drive, trees, hedges, now and then a pool."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    middle, taste = (v0 + v1) / 2, ROOFS[int(rng.integers(len(ROOFS)))]
    for front, back, inward in ((v0, middle, 1), (v1, middle, -1)):
        u = u0
        while u < u1 - 11:
            wide = min(rng.uniform(15, 22), u1 - u)
            if u1 - u - wide < 11:
                wide = u1 - u
            lot, centre = (u, u + wide, min(front, back), max(front, back)), u + wide / 2
            u += wide
            if not canvas.inside(frame(centre, front)):
                continue
            canvas.fill(frame.area(*lot), "grass", mix=rng.uniform(0.0, 0.6), tone=rng.uniform(0.85, 1.1))
            size = (min(wide - 5, rng.uniform(9, 14)), rng.uniform(8, 11))
            depth = rng.uniform(4.5, 7.5)
            side = centre + rng.choice([-1, 1]) * (wide / 2 - 2.2)
            drive = frame.area(side - 1.5, side + 1.5, *sorted((front - inward * 2.5, front + inward * (depth + 5))))
            canvas.fill(drive, str(rng.choice(["concrete", "asphalt", "old_asphalt"])), mix=rng.uniform(0, 0.6))
            at = front + inward * (depth + size[1] / 2)
            patio = frame.area(*sorted((centre, centre + 5)), *sorted((at, at + inward * (size[1] / 2 + 3))))
            canvas.fill(patio, "concrete", tone=rng.uniform(0.7, 1.1))
            roof = taste if rng.random() < 0.6 else ROOFS[int(rng.integers(len(ROOFS)))]
            kind = str(rng.choice(["gable", "gable", "hip", "flat"], p=[0.4, 0.2, 0.3, 0.1]))
            on = (*LAWN, "concrete", "asphalt", "old_asphalt")
            place.building(centre, at, size, rng.uniform(3.5, 6.5), kind, "gravel" if kind == "flat" else roof, on)
            if rng.random() < 0.5:  # a car on the drive
                place.car(side, front + inward * rng.uniform(2, 5), turned=True)
            _garden(place, lot, back, inward)


def _garden(place: Place, lot: Block, back: float, inward: int) -> None:
    rng, frame = place.rng, place.frame
    u0, u1 = lot[:2]
    if rng.random() < 0.09:
        pool = frame(rng.uniform(u0 + 5, u1 - 5), back - inward * rng.uniform(5, 8))
        _, along, across = frame.axes(u0, back)
        t = np.linspace(0, 2 * np.pi, 24)[:, None]
        oval = pool + 4.2 * np.cos(t) * along + 2.4 * np.sin(t) * across
        if place.canvas.is_on(oval, LAWN):
            place.canvas.fill(pool + (oval - pool) * 1.3, "concrete")
            place.canvas.fill(oval, "pool", mix=0.05)
    for _ in range(int(rng.integers(1, 5))):
        point = frame(rng.uniform(u0 + 1, u1 - 1), back - inward * rng.uniform(0.5, 10))
        if place.canvas.is_on(point[None], LAWN):
            place.tree(point, rng.uniform(1.3, 3.6))
    if rng.random() < 0.5:
        shed = (rng.uniform(u0 + 2, u1 - 2), back - inward * rng.uniform(1.5, 3))
        place.building(*shed, (3.2, 2.4), 2.2, "flat", str(rng.choice(["brown_tile", "metal", "slate"])), LAWN)
    if rng.random() < 0.7:  # a hedge along one side and the back
        for v in np.linspace(*lot[2:], int(abs(lot[3] - lot[2]) / 1.0))[5:-1]:
            place.tree(frame(u0, v), rng.uniform(0.7, 1.0), ("dark_leaves",))


def slabs(place: Place, block: Block) -> None:
    """Blocks of flats with flat roofs on lawns, a car park, paths and tall trees."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    canvas.fill(frame.area(*block), "grass", mix=rng.uniform(0.1, 0.4))
    canvas.stroke(frame(np.linspace(u0, u1, 20), (v0 + v1) / 2), 2.2, "concrete", tone=0.85)
    car_park(place, (u0 + 2, u0 + 30, v0 + 2, v1 - 2))
    for u in np.arange(u0 + 42, u1 - 6, 24.0):
        canvas.stroke(frame(u + 9, np.linspace(v0, v1, 12)), 1.8, "concrete", tone=0.85)
        size = (12.0, (v1 - v0) * rng.uniform(0.68, 0.85))
        roof = str(rng.choice(["gravel", "slate", "concrete"]))
        place.building(u, (v0 + v1) / 2, size, rng.uniform(9, 18), "flat", roof, (*LAWN, "concrete"))
    scatter(place, block, 0.006, (2.2, 4.8), ("leaves", "dark_leaves"))


def car_park(place: Place, block: Block) -> None:
    """Rows of marked bays, two thirds of them taken."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    if u1 - u0 < 8 or v1 - v0 < 8 or not canvas.inside(frame((u0 + u1) / 2, (v0 + v1) / 2), 60):
        return
    canvas.fill(frame.area(*block), "asphalt", mix=rng.uniform(0.1, 0.9), tone=rng.uniform(0.9, 1.1))
    fill = rng.uniform(0.35, 0.85)
    for v in np.arange(v0 + 3.5, v1 - 2.5, 8.2):
        for u in np.arange(u0 + 1.5, u1 - 1.5, 2.6):
            canvas.stroke(frame(u - 1.3, np.array([v - 2.4, v + 2.4])), 0.2, "paint", mix=0.3)
            if rng.random() < fill:
                place.car(u, v + rng.normal(0, 0.2), turned=True)


def halls(place: Place, block: Block) -> None:
    """One or two large halls with yards, containers and a car park."""
    u0, u1, v0, v1 = block
    rng, canvas, frame = place.rng, place.canvas, place.frame
    ground = str(rng.choice(["concrete", "old_asphalt", "asphalt"]))
    canvas.fill(frame.area(*block), ground, mix=rng.uniform(0.2, 0.6))
    split = u0 + (u1 - u0) * rng.uniform(0.6, 0.75)
    count = int(rng.integers(1, 3))
    for k in range(count):
        wide = (split - u0 - 6) / count
        material = str(rng.choice(["metal", "metal", "gravel", "slate", "blue_metal"]))
        spot, height, deep = (u0 + 4 + wide * (k + 0.5), (v0 + v1) / 2), rng.uniform(6, 11), rng.uniform(0.62, 0.82)
        for part in (1.0, 0.8, 0.6):  # smaller where the block is bent
            size = ((wide - 5) * part, (v1 - v0) * deep * part)
            if place.building(*spot, size, height, "flat", material, (ground,)):
                break
    car_park(place, (split + 2, u1 - 2, v0 + 3, (v0 + v1) / 2 + 8))
    for _ in range(14):
        spot = (rng.uniform(split + 3, u1 - 3), rng.uniform((v0 + v1) / 2 + 12, v1 - 3))
        paint = str(rng.choice(["red_tile", "blue_metal", "metal", "slate"]))
        place.building(*spot, (6.0, 2.4), 2.5, "flat", paint, (ground,))
    for u in np.arange(u0 + 2, u1, 11.0):
        place.tree(frame(u, v1 - 1.0), rng.uniform(1.6, 2.6))
