"""The canvas on which a synthetic place is drawn, in metres, at twice PAN's resolution.

Six layers hold what a pixel is: the label of its material, the share of the partner material (`mix`), its
brightness (`tone`), the deviation of its spectrum (`hue`), how steeply the sun strikes it (`light`, 1 on flat
ground) and whether it lies in shadow.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from panflow.data._materials import LABELS, TEXTURE, Response

STRIP = 256  # canvas rows that are exposed at a time
OVERSAMPLING = 2  # canvas pixels per PAN pixel, so that edges are not staircases
GROUND = {"label": LABELS["grass"], "mix": 0.2, "tone": 1.0, "hue": 0.0, "light": 1.0, "shadow": 0}
MODES = {"label": "L", "mix": "F", "tone": "F", "hue": "F", "light": "F", "shadow": "L"}


class Canvas:
    """Layers of a place of `size` (H, W) PAN pixels of `pixel` metres, lit by a sun of the generator's choice."""

    def __init__(self, size: tuple[int, int], pixel: float, rng: np.random.Generator):
        self.shape = (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING)
        self.scale = OVERSAMPLING / pixel  # canvas pixels per metre
        self.extent = (size[1] * pixel, size[0] * pixel)  # metres, x and y
        self.rng = rng
        azimuth, self.elevation = np.radians(rng.uniform(115, 165)), np.radians(rng.uniform(42, 58))
        self.sun = np.array([np.sin(azimuth), -np.cos(azimuth)])  # towards the sun; x east, y south
        self.images = {name: Image.new(MODES[name], self.shape[::-1], GROUND[name]) for name in MODES}
        self.pens = {name: ImageDraw.Draw(image) for name, image in self.images.items()}

    def _ink(self, material: str | None, layers: dict[str, float]) -> list[tuple[ImageDraw.ImageDraw, float]]:
        if material is not None:  # a new thing starts plain, with another hue
            plain = {"mix": 0.15, "tone": 1.0, "hue": self.rng.normal(), "light": 1.0}
            layers = plain | layers | {"label": LABELS[material]}
        return [(self.pens[name], value) for name, value in layers.items()]

    def _pixels(self, points: np.ndarray) -> list[tuple[float, float]]:
        return [(float(x), float(y)) for x, y in np.asarray(points) * self.scale - 0.5]

    def fill(self, points: np.ndarray, material: str | None = None, **layers: float) -> None:
        """A polygon of points [N, 2] in metres."""
        for pen, value in self._ink(material, layers):
            pen.polygon(self._pixels(points), fill=value)

    def stroke(self, points: np.ndarray, width: float, material: str | None = None, **layers: float) -> None:
        """A line of a width in metres."""
        for pen, value in self._ink(material, layers):
            pen.line(self._pixels(points), fill=value, width=max(1, round(width * self.scale)), joint="curve")

    def disc(self, centre: np.ndarray, radius: float, material: str | None = None, **layers: float) -> None:
        """A disc of a radius in metres."""
        (x, y), r = np.asarray(centre) * self.scale - 0.5, radius * self.scale
        for pen, value in self._ink(material, layers):
            pen.ellipse((x - r, y - r, x + r, y + r), fill=value)

    def inside(self, point: np.ndarray, margin: float = 30.0) -> bool:
        """Whether a point is on the canvas, or so near that what stands there may reach it."""
        return all(-margin < p < e + margin for p, e in zip(point, self.extent))

    def _seen(self, points: np.ndarray) -> set[int]:
        """The labels under those of the points that lie on the canvas."""
        height, width = self.shape
        cells = [(int(x), int(y)) for x, y in self._pixels(points)]
        inside = [(x, y) for x, y in cells if 0 <= x < width and 0 <= y < height]
        return {self.images["label"].getpixel(c) for c in inside}  # type: ignore[misc]  # int: it has one channel

    def is_on(self, points: np.ndarray, materials: tuple[str, ...]) -> bool:
        """Whether all points [N, 2] show one of these materials."""
        return self._seen(points) <= {LABELS[m] for m in materials}

    def is_free(self, points: np.ndarray, material: str) -> bool:
        """Whether none of the points [N, 2] shows a material."""
        return LABELS[material] not in self._seen(points)

    def cast(self, points: np.ndarray, height: float) -> None:
        """The shadow on flat ground of a prism of a height in metres over points [N, 2]."""
        offset = -self.sun * height / np.tan(self.elevation)
        for a, b in zip(points, np.roll(points, -1, axis=0)):
            self.fill(np.stack([a, b, b + offset, a + offset]), shadow=1)
        self.fill(points + offset, shadow=1)

    def slope(self, facing: np.ndarray, degrees: float) -> float:
        """The light on a plane that falls towards a unit vector `facing`."""
        tilt = np.radians(degrees)
        light = np.cos(tilt) + np.sin(tilt) * float(facing @ self.sun) / np.tan(self.elevation)
        return max(0.0, float(light))

    def noise(self, metres: float) -> Callable[[int, int], np.ndarray]:
        """A smooth random field with features of a size in metres, as a function that gives rows of it.

        Zero mean; its deviation is about one.
        """
        step, width = metres * self.scale, self.shape[1]
        coarse = [int(np.ceil(n / step)) + 4 for n in self.shape]
        field = Image.fromarray(self.rng.standard_normal(coarse, dtype=np.float32))

        def rows(top: int, bottom: int) -> np.ndarray:
            box = (2.0, 2.0 + top / step, 2.0 + width / step, 2.0 + bottom / step)
            values = field.resize((width, bottom - top), Image.Resampling.BICUBIC, box=box)
            return np.asarray(values) * np.float32(1.4)  # interpolation about halves the variance

        return rows

    def plant(self, trees: list[tuple[float, float, float, str]]) -> None:
        """Crowns (x, y, radius in metres, material) with lumps, a bright and a dark side, over everything.

        The last that is drawn: from here on the layers are arrays.
        """
        self.pens.clear()
        arrays = self.layers = {name: np.array(self.images.pop(name)) for name in MODES}
        crowns: dict = {}  # a few of each size, used again and again
        for x, y, radius, material in trees:
            r, variant = max(2, round(radius * self.scale)), int(self.rng.integers(8))
            if (r, variant) not in crowns:
                crowns[r, variant] = self._crown(r)
            mask, light = crowns[r, variant]
            row, column = round(y * self.scale) - r - 1, round(x * self.scale) - r - 1
            top, left = max(0, row), max(0, column)
            bottom, right = (min(n, p + 2 * r + 3) for n, p in zip(self.shape, (row, column)))
            if top >= bottom or left >= right:
                continue
            here, part = np.s_[top:bottom, left:right], np.s_[top - row : bottom - row, left - column : right - column]
            cover = mask[part]
            values = {"label": LABELS[material], "hue": self.rng.normal(), "shadow": 0}
            values |= {"mix": self.rng.uniform(0.0, 0.7), "tone": self.rng.uniform(0.8, 1.2)}
            for name, value in values.items():
                arrays[name][here][cover] = value
            arrays["light"][here][cover] = light[part][cover]

    def _crown(self, radius: int) -> tuple[np.ndarray, np.ndarray]:
        """Mask and light [2r + 3, 2r + 3] of a crown of a radius in canvas pixels."""
        rng = self.rng
        y, x = np.mgrid[-radius - 1 : radius + 2, -radius - 1 : radius + 2] / radius
        angle = np.arctan2(y, x)
        waves = [rng.uniform(0, 0.09) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4, 5, 7)]
        distance = np.hypot(x, y) / (0.9 + sum(waves))
        lumps = gaussian_filter(rng.standard_normal(x.shape), max(0.8, radius / 6))
        height = np.sqrt(np.clip(1 - distance**2, 0.02, 1)) * 0.8 + 0.17 * lumps / lumps.std()
        down, right = np.gradient(height, 1 / radius)
        sun = self.sun / np.tan(self.elevation)
        light = (1 - right * sun[0] - down * sun[1]) / np.sqrt(1 + right**2 + down**2)
        return distance < 1, np.clip(0.15 + 0.85 * light, 0.15, 1.6).astype(np.float32)

    def expose(self, responses: list[Response]) -> np.ndarray:
        """Reflectance above the air [C, H, W] on the PAN grid, as bands of these responses measure it."""
        height, width = (n // OVERSAMPLING for n in self.shape)
        image = np.empty((len(responses), height, width), np.float32)
        fields = [self.noise(metres) for metres in (3.0, 25.0, 2.5, 30.0, 4.0)]
        for top in range(0, self.shape[0], STRIP):
            bottom = min(top + STRIP, self.shape[0])
            label, mix, tone, hue, light, shadow = (self.layers[name][top:bottom] for name in MODES)
            patch, stain, mottle, drift, tint = (field(top, bottom) for field in fields)
            grain = self.rng.standard_normal(label.shape, dtype=np.float32)
            tone = tone * (1 + TEXTURE["grain"][label] * grain + TEXTURE["patch"][label] * patch)
            tone *= 1 + TEXTURE["stain"][label] * stain
            mix = np.clip(mix + TEXTURE["mottle"][label] * mottle + TEXTURE["drift"][label] * drift, 0, 1)
            hue = hue + 0.5 * tint
            direct = np.where(shadow > 0, np.float32(0), light)
            for band, r in zip(image, responses):
                surface = (r.plain[label] + mix * (r.mixed - r.plain)[label] + hue * r.hued[label]) * tone
                fine = surface * np.float32(r.clear) * (np.float32(r.sky) + np.float32(1 - r.sky) * direct)
                quarters = (fine[i::2, k::2] for i in (0, 1) for k in (0, 1))
                band[top // OVERSAMPLING : bottom // OVERSAMPLING] = sum(quarters) / 4 + r.air
        return image
