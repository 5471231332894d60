"""Roofs, sides, cars and their shadows: what stands on the ground of a synthetic place, drawn."""

from __future__ import annotations

import numpy as np

from panflow.data._canvas import Canvas
from panflow.data._place import Building, Place, rectangle

CARS = ("white_car",) * 5 + ("grey_car",) * 6 + ("dark_car",) * 6 + ("red_car", "blue_car", "blue_car")


def stand(place: Place) -> None:
    """Shadows, then cars and roofs, then crowns."""
    canvas = place.canvas
    for b in place.buildings:
        canvas.cast(b.corners, b.height + (1.2 if b.roof != "flat" else 0))
    for x, y, radius, _ in place.trees:
        step = -canvas.sun * radius / np.tan(canvas.elevation)
        for reach in (0.5, 1.0, 1.5):
            canvas.disc(np.array([x, y]) + step * reach, radius * (0.95 if reach < 1.5 else 0.8), shadow=1)
    for car in place.cars:
        _car(canvas, *car)
    for b in place.buildings:
        _flat(canvas, b) if b.roof == "flat" else _pitched(canvas, b)
    canvas.plant(place.trees)


def _pitched(canvas: Canvas, b: Building) -> None:
    """Two facets ("gable") or four ("hip") that meet in a ridge along the longer side."""
    rng = canvas.rng
    ridge, down, corners, size = b.axes[0], -b.axes[1], b.corners, b.size
    if size[1] > size[0]:
        ridge, down, corners, size = b.axes[1], b.axes[0], np.roll(corners, -1, axis=0), size[::-1]
    # corners 0 and 1 lie along the ridge on the side `down`, 2 and 3 on the other
    centre, pitch = corners.mean(axis=0), rng.uniform(28, 42)
    half = max(0.0, size[0] / 2 - (size[1] / 2 if b.roof == "hip" else 0))
    ends = [centre - ridge * half, centre + ridge * half]
    look = {"tone": rng.uniform(0.75, 1.25), "mix": rng.uniform(0, 0.35), "hue": rng.normal(), "shadow": 0}
    facets = [(corners[[0, 1]], ends[::-1], down), (corners[[2, 3]], ends, -down)]
    if b.roof == "hip":
        facets += [(corners[[1, 2]], ends[1:], ridge), (corners[[3, 0]], ends[:1], -ridge)]
    for eaves, top, facing in facets:
        canvas.fill(np.concatenate([eaves, top]), b.material, light=canvas.slope(facing, pitch), **look)
    canvas.stroke(np.array(ends), 0.3, light=1.15, tone=look["tone"] * 1.1)
    chimney = centre + ridge * rng.uniform(-0.3, 0.3) * size[0] + down * rng.uniform(-1, 1)
    square = rectangle(chimney, ridge, down, (0.9, 0.9))
    canvas.fill(square - canvas.sun * 1.0, shadow=1)
    canvas.fill(square, "concrete", tone=0.8, shadow=0)


def _flat(canvas: Canvas, b: Building) -> None:
    """A flat roof with a bright rim, seams, and boxes that throw shadows."""
    rng = canvas.rng
    centre, tone = b.corners.mean(axis=0), rng.uniform(0.8, 1.15)
    canvas.fill(b.corners, b.material, tone=tone * 1.25, shadow=0)
    canvas.fill(
        rectangle(centre, b.axes[0], b.axes[1], (b.size[0] - 1, b.size[1] - 1)), b.material, tone=tone, shadow=0
    )
    for offset in np.arange(-b.size[0] / 2 + 3, b.size[0] / 2 - 2, rng.choice([3.0, 5.0, 6.0])):
        seam = centre + b.axes[0] * offset + np.outer([-0.46, 0.46], b.axes[1]) * b.size[1]
        canvas.stroke(seam, 0.25, tone=tone * 0.86)
    for _ in range(int(b.size[0] * b.size[1] / 120)):
        spot = centre + (rng.uniform(-0.42, 0.42, 2) * b.size) @ b.axes
        box = rectangle(spot, b.axes[0], b.axes[1], rng.uniform(1.2, 3.2, 2))
        canvas.cast(box, rng.uniform(0.8, 2.0))
        canvas.fill(box, str(rng.choice(["metal", "concrete", "slate"])), tone=rng.uniform(0.7, 1.1), shadow=0)


def _car(canvas: Canvas, centre: np.ndarray, along: np.ndarray, across: np.ndarray) -> None:
    rng = canvas.rng
    paint, length = CARS[int(rng.integers(len(CARS)))], rng.uniform(3.9, 4.8)
    body = rectangle(centre, along, across, (length, 1.8))
    canvas.cast(body, 1.3)
    canvas.fill(body, paint, mix=0.0, tone=rng.uniform(0.8, 1.2), shadow=0)
    for place in (0.15, -0.32):  # windscreen and rear window
        canvas.fill(rectangle(centre + along * place * length, along, across, (0.5, 1.3)), "glass", shadow=0)
