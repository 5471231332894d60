"""The pictures of README and docs, from a drawn scene: python docs/pictures.py"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.scene.quicklook import quicklook_file

IMAGES = Path(__file__).parent / "images"
WIDTH = 1600  # pixels of a picture at most
SOFT = 0.12  # MTF gain of a product that is softer than its sensor is said to be
CROP, PANEL = 150, 480  # the first PAN pixel of a panel, and pixels of its side, four of them a PAN pixel
LABELS = {"ergas": "ERGAS", "hqnr": "HQNR", "detail_gain": "detail gain"}
NEAREST = Image.Resampling.NEAREST
SHEETS = {
    "methods-1": ["brovey", "gs", "gsa", "bt_h", "bdsd_pc", "awlp"],
    "methods-2": ["mtf_glp_fs", "mtf_glp_hpm_h", "nndiffuse", "bandwise"],
}


def save(picture: Path, name: str) -> None:
    """As JPEG, reduced to WIDTH where it is wider."""
    image = Image.open(picture).convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.save(IMAGES / f"{name}.jpg", quality=82)


def protocols() -> None:
    """A sharp and a soft answer to a scene whose MS is softer than its sensor's MTF says, and what is said of them."""
    sensor = sensors.load("geoeye1")
    pair = synthetic.scene(384, sensor.with_gains([SOFT] * len(sensor.bands)), seed=5)
    pan, ms, truth = pair.pan[0, 0], pair.ms[0], pair.reference[0]
    answers = {"the default": {}, "--detail ms": {"detail": "ms", "mtf": "raised"}}
    panels = {"PAN": np.stack([pan] * 3), "truth": truth[2::-1]}
    for title, options in answers.items():
        fused = panflow.sharpen(pan, ms, method="bandwise", sensor=sensor, **options)
        values = panflow.assess(fused, reference=truth, sensor=sensor, indices=["ergas"])
        values |= panflow.assess(fused, pan, ms, sensor=sensor, indices=["hqnr", "detail_gain"])
        said = ", ".join(f"{LABELS[name]} {float(value):.2f}" for name, value in values.items())
        panels[f"{title}: {said}"] = fused[2::-1]
        print(title, said)
    low, high = (np.percentile(truth[2::-1], q, axis=(1, 2))[:, None, None] for q in (1, 99))
    sheet = Image.new("RGB", (2 * PANEL + 8, 2 * (PANEL + 24)), "white")
    for k, (title, image) in enumerate(panels.items()):
        part = image[:, CROP:, CROP:][:, : PANEL // 4, : PANEL // 4]
        bounds = (np.percentile(pan, 1), np.percentile(pan, 99)) if title == "PAN" else (low, high)
        part = np.clip((part - bounds[0]) / (bounds[1] - bounds[0]), 0, 1)
        panel = Image.fromarray((255 * part).astype("uint8").transpose(1, 2, 0)).resize((PANEL, PANEL), NEAREST)
        left, top = k % 2 * (PANEL + 8), k // 2 * (PANEL + 24)
        sheet.paste(panel, (left, top + 24))
        ImageDraw.Draw(sheet).text((left + 4, top + 5), title, fill="black", font_size=14)
    sheet.save(IMAGES / "protocols.jpg", quality=85)


def main() -> None:
    protocols()
    with tempfile.TemporaryDirectory() as folder:
        sharp, sheet = Path(folder, "sharp.tif"), Path(folder, "crops-1.png")
        sensor = sensors.load("worldview3")
        paths = synthetic.write(synthetic.scene(768, sensor, seed=0), folder)
        pan, ms = str(paths["pan"]), str(paths["ms"])
        panflow.sharpen_file(pan, ms, sharp)
        quicklook_file(sharp, pan, [ms], sheet, count=1)
        save(sheet, "quicklook")
        for name, methods in SHEETS.items():
            panflow.compare_files(pan, ms, methods, side=192, out=folder, overwrite=True)
            save(sheet, name)


if __name__ == "__main__":
    main()
