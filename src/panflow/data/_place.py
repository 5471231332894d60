"""A synthetic place: its bent coordinates, and what has been put on its ground."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from panflow.data._canvas import Canvas

Block = tuple[float, float, float, float]  # u0, u1, v0, v1 in metres
LAWN = ("grass", "dry_grass")


@dataclass(frozen=True)
class Frame:
    """A place's coordinates u, v (metres along the streets), turned and bent, on the canvas."""

    turn: float
    bends: tuple[tuple[float, float, float], ...]  # (metres, wavelength in metres, phase) of u and of v

    def __call__(self, u: object, v: object) -> np.ndarray:
        """Canvas points [..., 2] in metres."""
        u, v = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        (a, la, fa), (b, lb, fb) = self.bends
        p, q = u + a * np.sin(2 * np.pi * v / la + fa), v + b * np.sin(2 * np.pi * u / lb + fb)
        c, s = np.cos(self.turn), np.sin(self.turn)
        return np.stack([c * p - s * q, s * p + c * q], axis=-1)

    def axes(self, u: float, v: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where (u, v) is, and the unit vectors along and across the street there."""
        here, ahead = self(u, v), self(u + 1.0, v)
        along = (ahead - here) / np.linalg.norm(ahead - here)
        return here, along, np.array([-along[1], along[0]])

    def area(self, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
        """The outline of a block, bent as the streets are."""
        t = np.linspace(0, 1, 12)
        us, vs = u0 + (u1 - u0) * t, v0 + (v1 - v0) * t
        sides = [self(us, v0), self(u1, vs), self(us[::-1], v1), self(u0, vs[::-1])]
        return np.concatenate(sides)


@dataclass(frozen=True)
class Building:
    """A rectangle of corners [4, 2], its axes and size (along, across), height of the eaves, kind of roof."""

    corners: np.ndarray
    axes: np.ndarray
    size: tuple[float, float]
    height: float
    roof: str
    material: str


@dataclass
class Place:
    """The ground is drawn at once; what stands on it is gathered, since its shadows must fall first."""

    canvas: Canvas
    frame: Frame
    buildings: list[Building] = field(default_factory=list)
    cars: list[tuple] = field(default_factory=list)  # (centre, along, across)
    trees: list[tuple] = field(default_factory=list)  # (x, y, radius, material)

    @property
    def rng(self) -> np.random.Generator:
        return self.canvas.rng

    def tree(self, point: np.ndarray, radius: float, kinds: tuple[str, ...] = ("leaves", "dark_leaves")) -> None:
        if self.canvas.inside(point, 12):
            self.trees.append((*point, radius, kinds[int(self.rng.integers(len(kinds)))]))

    def building(
        self, u: float, v: float, size: tuple[float, float], height: float, roof: str, material: str, on: tuple
    ) -> bool:
        """A rectangular building (size along the street and across) where its corners find free ground."""
        centre, along, across = self.frame.axes(u, v)
        corners = rectangle(centre, along, across, size)
        if not self.canvas.inside(centre) or not self.canvas.is_on(corners, on):
            return False
        self.buildings.append(Building(corners, np.stack([along, across]), size, height, roof, material))
        self.canvas.fill(corners, material)  # so that nothing else is put here
        return True

    def car(self, u: float, v: float, turned: bool = False) -> None:
        """A car along the street, or turned across it."""
        centre, along, across = self.frame.axes(u, v)
        if self.canvas.inside(centre, 6):
            self.cars.append((centre, across, along) if turned else (centre, along, across))

    def clear(self, material: str) -> list[Building]:
        """Takes away what would stand on a material; returns the buildings of that."""
        free = self.canvas.is_free
        self.trees = [tree for tree in self.trees if free(np.array([tree[:2]]), material)]
        self.cars = [car for car in self.cars if free(car[0][None], material)]
        gone = [b for b in self.buildings if not free(b.corners, material)]
        self.buildings = [b for b in self.buildings if free(b.corners, material)]
        return gone


def rectangle(centre: np.ndarray, along: np.ndarray, across: np.ndarray, size: object) -> np.ndarray:
    """Corners [4, 2] of a rectangle of a size (along, across), in turn."""
    a, b = along * size[0] / 2, across * size[1] / 2  # type: ignore[index]
    return np.stack([centre - a - b, centre + a - b, centre + a + b, centre - a + b])
