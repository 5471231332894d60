"""Roads with what is painted, parked and planted along them, a river, and the whole synthetic place."""

from __future__ import annotations

import numpy as np

from panflow.data import _country, _town
from panflow.data._canvas import Canvas
from panflow.data._place import Frame, Place
from panflow.data._plan import PITCH, VERGE, Plan, Road
from panflow.data._standing import stand

DRAW = {
    "fields": _country.fields,
    "woods": _country.woods,
    "park": _country.park,
    "houses": _town.houses,
    "slabs": _town.slabs,
    "halls": _town.halls,
}


def build(canvas: Canvas) -> None:
    """A whole place on an empty canvas."""
    rng = canvas.rng
    bends = tuple((rng.uniform(8, 17), rng.uniform(330, 520), rng.uniform(0, 6.3)) for _ in range(2))
    frame = Frame(rng.uniform(-0.45, 0.45), bends)
    place, plan = Place(canvas, frame), Plan(frame, canvas)
    for use, draw in DRAW.items():
        for cell in np.argwhere(plan.use == use):
            block = plan.block(*cell)
            if _near(canvas, frame.area(*block)):
                draw(place, block)
    if rng.random() < 0.75:
        _river(place, plan)
    roads = plan.roads(canvas)
    for road in roads:
        _verge(canvas, road)
    for road in roads:
        _pave(canvas, road)
    for road in roads:
        if road.kind != "track":
            _paint(canvas, road)
            _traffic(place, road)
            _avenue(place, road)
    stand(place)


def _near(canvas: Canvas, outline: np.ndarray) -> bool:
    """Whether an area may reach the canvas: the box around it does."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    return all(low[k] < canvas.extent[k] + 20 and high[k] > -20 for k in (0, 1))


def _verge(canvas: Canvas, road: Road) -> None:
    """Pavement or grass on both sides."""
    material = "dry_grass" if road.kind == "track" else "concrete"
    _band(canvas, road, road.half + VERGE[road.kind], material, tone=0.8)


def _pave(canvas: Canvas, road: Road) -> None:
    """Sand or asphalt, worn where the wheels go."""
    if road.kind == "track":
        _band(canvas, road, road.half, "sand", tone=0.75)
        return
    mix = canvas.rng.uniform(0, 0.5)
    _band(canvas, road, road.half, "asphalt", mix=mix)
    for lane in (-0.5, 0.5):
        line = road.points(np.arange(road.low, road.high, 4.0), lane * road.half)
        canvas.stroke(line, road.half * 0.45, mix=mix + 0.22)


def _band(canvas: Canvas, road: Road, half: float, material: str, **look: float) -> None:
    line = road.points(np.linspace(road.low, road.high, 30))
    look["hue"] = canvas.rng.normal()
    canvas.stroke(line, 2 * half, material, **look)
    for end in (line[0], line[-1]):
        canvas.disc(end, half, material, **look)


def _paint(canvas: Canvas, road: Road) -> None:
    """Dashed middles; on main roads also edges, lanes and crossings for walkers."""
    low, high, half = road.low + 15, road.high - 15, road.half

    def dashes(aside: float, length: float, gap: float) -> None:
        for start in np.arange(low, high - length, length + gap):
            canvas.stroke(road.points(np.array([start, start + length]), aside), 0.25, "paint")

    if road.kind == "street":
        dashes(0.0, 3, 6)
        return
    for aside in (-0.25, 0.25, -half + 0.5, half - 0.5):
        canvas.stroke(road.points(np.linspace(low, high, 30), aside), 0.25, "paint")
    for aside in (-half / 2, half / 2):
        dashes(aside, 4, 8)
    for end in (low - 4, high + 4):
        for aside in np.arange(-half + 0.8, half - 0.5, 1.1):
            canvas.stroke(road.points(np.array([end - 1.6, end + 1.6]), aside), 0.5, "paint")


def _traffic(place: Place, road: Road) -> None:
    """Cars in the lanes, and at the kerb of streets."""
    lanes = {-0.75: 55.0, -0.25: 55.0, 0.25: 55.0, 0.75: 55.0}  # place across the road: mean metres between cars
    if road.kind == "street":
        lanes = {-0.45: 60.0, 0.45: 60.0, -0.78: 22.0, 0.78: 22.0}
    for lane, mean in lanes.items():
        t = road.low + 15 + place.rng.exponential(mean / 2)
        while t < road.high - 15:
            place.car(*road.uv(t, lane * road.half), turned=road.axis == 0)
            t += 6 + place.rng.exponential(mean)


def _avenue(place: Place, road: Road) -> None:
    """Trees on both pavements."""
    rng = place.rng
    if road.kind == "main" or rng.random() < 0.4:
        for t in np.arange(road.low + 15, road.high - 15, 9.0):
            for side in (-1, 1):
                if rng.random() < 0.75:
                    point = road.points(t, side * (road.half + VERGE[road.kind] - 0.8))
                    place.tree(point, rng.uniform(1.5, 3.0))


def _river(place: Place, plan: Plan) -> None:
    """A river that winds along v, with banks and trees; roads are drawn over it later, as bridges."""
    canvas, frame, rng = place.canvas, place.frame, place.rng
    middle = plan.us[plan.main[0] + int(rng.choice([-1, 1]))] + PITCH[0] / 2
    v = np.arange(plan.vs[0] - 60, plan.vs[-1] + 60, 4.0)
    u = middle + 24 * np.sin(v / rng.uniform(45, 70) + rng.uniform(0, 6)) + 8 * np.sin(v / 21)
    line, width = frame(u, v), rng.uniform(16, 30)
    canvas.stroke(line, width + 14, "water")
    for house in place.clear("water"):
        canvas.fill(house.corners, "grass")
    banks = ((14, "grass", 0.25), (4, "dry_grass", 0.4), (2, "wet_soil", 0.0))
    deeper = ((0, "water", 0.75), (-2, "water", 0.55), (-5, "water", 0.35), (-9, "water", 0.2))
    for grow, material, mix in (*banks, *deeper):
        canvas.stroke(line, width + grow, material, mix=mix)
    across = np.array([np.cos(frame.turn), np.sin(frame.turn)])
    for point in line:
        for side in (-1, 1):
            if rng.random() < 0.35:
                place.tree(point + side * (width / 2 + rng.uniform(2.5, 6)) * across, rng.uniform(1.8, 4))
