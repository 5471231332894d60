"""The plan of a synthetic place: blocks of one use each and the roads between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from panflow.data._canvas import Canvas
from panflow.data._place import Block, Frame

PITCH = (138.0, 80.0)  # metres from road to road along u and v
HALF = {"main": 7.4, "street": 3.4, "track": 1.5, "none": 0.0}  # metres from a road's axis to its edge
VERGE = {"main": 3.2, "street": 2.1, "track": 0.8, "none": 0.8}  # metres of pavement or grass beside it
# uses from country to town, and the share of blocks up to each
USES = {"fields": 0.34, "woods": 0.44, "park": 0.52, "houses": 0.78, "slabs": 0.86, "halls": 1.0}


@dataclass(frozen=True)
class Road:
    """A road between two crossings: at u (axis 0) or v (axis 1) = `line`, from `low` to `high` of the other."""

    kind: str
    axis: int
    line: float
    low: float
    high: float
    frame: Frame

    @property
    def half(self) -> float:
        return HALF[self.kind]

    def uv(self, t: object, aside: float = 0.0) -> tuple[Any, Any]:
        """The place's coordinates at t along the road, `aside` metres from its axis."""
        return (self.line + aside, t) if self.axis == 0 else (t, self.line + aside)

    def points(self, t: object, aside: float = 0.0) -> np.ndarray:
        """Canvas points [..., 2] there."""
        return self.frame(*self.uv(t, aside))

    def near(self, canvas: Canvas) -> bool:
        """Whether the road may reach the canvas."""
        return any(canvas.inside(point) for point in self.points(np.linspace(self.low, self.high, 20)))


class Plan:
    """Road lines us and vs (metres), and the use of every block [i, j] between them."""

    def __init__(self, frame: Frame, canvas: Canvas):
        self.frame, rng, (x, y) = frame, canvas.rng, canvas.extent
        c, s = np.cos(frame.turn), np.sin(frame.turn)
        corners = np.array([[0, 0], [x, 0], [0, y], [x, y]]) @ np.array([[c, -s], [s, c]])
        starts = corners.min(axis=0) - np.array(PITCH) * rng.uniform(0.7, 1.6, 2)
        ends = corners.max(axis=0) + 2 * np.array(PITCH)
        self.us, self.vs = (np.arange(*limits) for limits in zip(starts, ends, PITCH))
        self.us += rng.uniform(-12, 12, len(self.us))
        self.vs += rng.uniform(-5, 5, len(self.vs))
        # from country to town in one direction, by rank, so that every large place has some of all
        shape = (len(self.us) - 1, len(self.vs) - 1)
        i, j = np.mgrid[: shape[0], : shape[1]]
        direction = rng.uniform(0, 2 * np.pi)
        town = i / shape[0] * np.cos(direction) + j / shape[1] * np.sin(direction) + rng.normal(0, 0.16, shape)
        rank = (town.ravel().argsort().argsort().reshape(shape) + 0.5) / town.size
        self.use = np.array(list(USES))[np.searchsorted(list(USES.values()), rank)]
        self.main = (len(self.us) // 2, len(self.vs) // 2)

    def kind(self, axis: int, line: int, beside: int) -> str:
        """The class of road on a line (axis 0: us[line]) along the block `beside`."""
        if line == self.main[axis]:
            return "main"
        cells = [(k, beside) if axis == 0 else (beside, k) for k in (line - 1, line)]
        uses = {self.use[i, j] for i, j in cells if 0 <= i < self.use.shape[0] and 0 <= j < self.use.shape[1]}
        if uses <= {"fields", "woods"}:
            return "track" if axis == 1 else "none"
        return "street"

    def block(self, i: int, j: int) -> Block:
        """The ground inside the roads and pavements around a block."""
        around = (self.kind(0, i, j), self.kind(0, i + 1, j), self.kind(1, j, i), self.kind(1, j + 1, i))
        left, right, top, bottom = (HALF[kind] + VERGE[kind] for kind in around)
        return self.us[i] + left, self.us[i + 1] - right, self.vs[j] + top, self.vs[j + 1] - bottom

    def roads(self, canvas: Canvas) -> list[Road]:
        """The roads that may reach the canvas, the widest last."""
        roads = []
        for axis, (lines, along) in enumerate([(self.us, self.vs), (self.vs, self.us)]):
            for k, line in enumerate(lines):
                for b in range(len(along) - 1):
                    roads.append(Road(self.kind(axis, k, b), axis, line, along[b], along[b + 1], self.frame))
        return sorted((r for r in roads if r.kind != "none" and r.near(canvas)), key=lambda road: road.half)
