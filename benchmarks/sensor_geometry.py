"""An RPC pair fused as the camera saw it and then orthorectified, against orthorectified first and then fused.

    python benchmarks/sensor_geometry.py [--size 768] [--relief 300] [--parallax 0.25 1.2] [--method bandwise]

A map is drawn, and hills; two cameras, whose views differ a little as those of two arrays behind one telescope do, see
it from the side. RPC are fitted to them. Both ways end on the map's pixels, where the truth is: distances are those of
the result's windows of 64 pixels from the truth's by scikit-image's phase correlation, in PAN pixels.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.rpc import RPC
from rasterio.warp import Resampling, reproject
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.registration import phase_cross_correlation

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.files.sink import Profile
from panflow.ops import kernels
from panflow.ops.resample import lowpass

STEP = 5e-6  # degrees a PAN pixel
WEST, NORTH = 5.0, 50.0
FAR = 60000.0  # PAN pixels from the camera to the ground
MARGIN = 96  # pixels of the map that the cameras do not see


def heights(size, relief, seed=0):
    """Of every pixel of the map."""
    rough = gaussian_filter(np.random.default_rng(seed).normal(size=(size, size)), size / 12, mode="wrap")
    return relief * (rough - rough.min()) / np.ptp(rough)


class Camera:
    """Rows and columns at which a place of the map (row, column in its pixels, height) is seen; slant: pixels of both
    by which a metre of height moves it; pixel: of the camera, in PAN's."""

    def __init__(self, slant, pixel, size):
        self.slant, self.pixel, self.size = slant, pixel, size

    def sees(self, row, column, height):
        near = 1 / (1 - height / FAR)
        middle = self.size / 2
        y, x = ((v - middle) * near + s * height * near + middle for v, s in zip((row, column), self.slant))
        y = y + 2e-6 * (x - middle) ** 2  # a line of the array is a little bent
        return (y - MARGIN + 0.5) / self.pixel - 0.5, (x - MARGIN + 0.5) / self.pixel - 0.5

    def image(self, bands, ground):
        """Of bands [C, H, W] of the map."""
        count = round((self.size - 2 * MARGIN) / self.pixel)
        target = np.stack(np.meshgrid(np.arange(count), np.arange(count), indexing="ij")).astype(float)
        place = target * self.pixel + MARGIN
        for _ in range(60):  # where each ray meets the hills
            height = map_coordinates(ground, place, order=1, mode="nearest")
            place = place + (target - np.stack(self.sees(*place, height))) * self.pixel
        return np.stack([map_coordinates(band, place, order=3, mode="nearest") for band in bands]), count

    def rpc(self, relief):
        """Rational polynomials fitted to a lattice of places and heights, and their largest error in pixels."""
        row, column, height = (
            v.ravel() for v in np.meshgrid(*[np.linspace(0, self.size, 15)] * 2, np.linspace(0, relief, 7))
        )
        line, sample = self.sees(row, column, height)
        ground = [NORTH - (row + 0.5) * STEP, WEST + (column + 0.5) * STEP, height]
        normal = [((v.min() + v.max()) / 2, max(float(np.ptp(v)) / 2, 1e-9)) for v in (*ground, line, sample)]
        p, l, h, y, x = ((v - o) / s for v, (o, s) in zip((*ground, line, sample), normal))
        one = np.ones_like(p)
        cubic = [one, l, p, h, l * p, l * h, p * h, l * l, p * p, h * h, p * l * h, l**3, l * p * p, l * h * h]
        terms = np.stack([*cubic, l * l * p, p**3, p * h * h, l * l * h, p * p * h, h**3], 1)
        coefficients, errors = [], []
        for image, (_, scale) in zip((y, x), normal[3:]):
            design = np.concatenate([terms, -image[:, None] * terms[:, 1:]], 1)
            ridge = np.concatenate([design, 1e-7 * np.eye(39)])
            solution = np.linalg.lstsq(ridge, np.append(image, np.zeros(39)), rcond=None)[0]
            over, under = solution[:20], np.append(1.0, solution[20:])
            coefficients += [over.tolist(), under.tolist()]
            errors.append(scale * np.abs(terms @ over / (terms @ under) - image).max())
        names = "lat", "long", "height", "line", "samp"
        parts = {f"{n}_{k}": v for n, both in zip(names, normal) for k, v in zip(("off", "scale"), both)}
        keys = "line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff"
        return RPC(**parts, **dict(zip(keys, coefficients)), err_bias=None, err_rand=None), max(errors)


def save(path, image, **place):
    count, height, width = image.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, **{k: v for k, v in place.items() if k != "rpcs"}) as dataset:
        if "rpcs" in place:
            dataset.rpcs = place["rpcs"]
        dataset.write(image.astype("float32"))
    return path


def orthorectified(path, dem, size, pixel=1):
    """[C, H, W] on the map's pixels, NaN where nothing was seen."""
    with rasterio.open(path) as dataset:
        result = np.full((dataset.count, size // pixel, size // pixel), np.nan, "float32")
        reproject(
            dataset.read(), result, src_crs="EPSG:4326", rpcs=dataset.rpcs, RPC_DEM=str(dem), dst_crs="EPSG:4326",
            dst_transform=Affine(STEP * pixel, 0, WEST, 0, -STEP * pixel, NORTH), dst_nodata=np.nan,
            resampling=Resampling.cubic, tolerance=0.0, init_dest_nodata=True,
        )  # fmt: skip
    return result


def distances(image, truth):
    """Of windows of the mean of the bands, in pixels."""
    image, truth = (np.mean(bands, axis=0) for bands in (image, truth))
    result = []
    for row in range(2 * MARGIN, image.shape[0] - 2 * MARGIN - 63, 32):
        for column in range(2 * MARGIN, image.shape[1] - 2 * MARGIN - 63, 32):
            one, other = (v[row : row + 64, column : column + 64] for v in (image, truth))
            taper = np.outer(np.hanning(64), np.hanning(64))
            result.append(
                np.hypot(*phase_cross_correlation(
                    (other - other.mean()) * taper, (one - one.mean()) * taper, upsample_factor=50
                )[0])
            )  # fmt: skip
    return np.array(result)


def measure(folder, size, relief, parallax, method, register):
    """Rows of a table: (way, distances, SAM, ERGAS), and the largest error of the RPC in pixels."""
    drawn = synthetic.scene(size, sensors.load("ikonos"), seed=8)
    truth, pan = drawn.reference[0].astype(float), drawn.pan[0].astype(float)
    ground = heights(size, relief)
    filters = [kernels.mtf(gain, drawn.ratio, 1e-6) for gain in drawn.sensor.gains]
    seen = np.concatenate([lowpass(truth[None, k : k + 1], one)[0] for k, one in enumerate(filters)])
    place = {"crs": "EPSG:4326", "transform": Affine(STEP, 0, WEST, 0, -STEP, NORTH)}
    dem = save(folder / "dem.tif", ground[None], **place)
    files, errors = [], []
    for name, bands, slant, pixel in (
        ("pan", pan, (0.1, 0.25), 1.0),
        ("ms", seen, (0.1 + parallax / relief, 0.25), 4.0),
    ):
        camera = Camera(slant, pixel, size)
        image, _ = camera.image(bands, ground)
        rpcs, error = camera.rpc(relief)
        files.append(save(folder / f"{name}.tif", image, rpcs=rpcs))
        errors.append(error)
    mapped = [
        save(folder / f"{path.stem}_map.tif", orthorectified(path, dem, size, pixel), nodata=np.nan,
             crs="EPSG:4326", transform=Affine(STEP * pixel, 0, WEST, 0, -STEP * pixel, NORTH))
        for path, pixel in zip(files, (1, 4))
    ]  # fmt: skip
    options = {"method": method, "sensor": "ikonos", "mtf": "sensor", "register": register, "overwrite": True}
    options["profile"] = Profile(dtype="float32", format="gtiff")
    rows, inside = [], slice(2 * MARGIN, -2 * MARGIN)
    for way in ("fused, then orthorectified", "orthorectified, then fused"):
        out = folder / "out.tif"
        if way.startswith("fused"):
            report = panflow.sharpen_file(*files, out, dem=str(dem), **options)
            fused = orthorectified(out, dem, size)
        else:
            report = panflow.sharpen_file(*mapped, out, **options)
            fused = rasterio.open(out).read()
        scores = panflow.assess(
            fused[:, inside, inside], indices=["sam", "ergas"], reference=truth[:, inside, inside], sensor="ikonos"
        )
        rows.append((way, distances(fused, truth), scores, report))
    return rows, max(errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--relief", type=float, default=300.0)
    parser.add_argument("--parallax", type=float, nargs="+", default=[0.25, 1.2], help="PAN pixels over the relief")
    parser.add_argument("--method", default="bandwise")
    options = parser.parse_args()
    print("| parallax | way | register | median, 95 % of the distances | SAM / ERGAS | offset varies by |")
    print("|" + " --- |" * 6)
    for parallax in options.parallax:
        for register in ("global", "auto"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder)
                rows, error = measure(path, options.size, options.relief, parallax, options.method, register)
            for way, apart, scores, report in rows:
                middle, most = np.quantile(apart, (0.5, 0.95))
                quality = f"{scores['sam']:.2f} / {scores['ergas']:.2f}"
                cells = parallax, way, register, f"{middle:.2f}, {most:.2f}", quality, f"{report.shift_varies:.2f}"
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print(f"\nThe RPC are off the cameras by {error:.4f} pixels at most.")


if __name__ == "__main__":
    main()
