"""The pictures of README and docs, from a drawn scene: python docs/pictures.py"""

import tempfile
from pathlib import Path

from PIL import Image

import panflow
from panflow import sensors
from panflow.data import synthetic
from panflow.scene.quicklook import quicklook_file

IMAGES = Path(__file__).parent / "images"
WIDTH = 1600  # pixels of a picture at most
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


def main() -> None:
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
