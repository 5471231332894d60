"""Folders of scenes as they are delivered, drawn: small images with the metadata that GDAL reads beside them."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin


def image(path: Path, bands: int, size: int, pixel: float) -> np.ndarray:
    """A GeoTIFF of `bands` bands of size x size, which differ everywhere."""
    values = np.arange(bands * size * size, dtype="uint16").reshape(bands, size, size)
    grid = {"crs": CRS.from_epsg(32631), "transform": from_origin(500000, 5700000, pixel, pixel)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", width=size, height=size, count=bands, dtype="uint16", **grid) as file:
        file.write(values)
    return values


MTL = """GROUP = L1_METADATA_FILE
  GROUP = PRODUCT_METADATA
    SPACECRAFT_ID = "LANDSAT_8"
    DATE_ACQUIRED = 2015-08-04
    SCENE_CENTER_TIME = "16:19:21.7917421Z"
    CLOUD_COVER = 11.08
  END_GROUP = PRODUCT_METADATA
END_GROUP = L1_METADATA_FILE
END
"""


def landsat(folder: Path) -> Path:
    """Six bands and PAN, one file each, with their MTL."""
    stem = "LC08_L1TP_020039_20150804_20200908_02_T1"
    image(folder / f"{stem}_B8.TIF", 1, 64, 15.0)
    for number in range(2, 8):
        image(folder / f"{stem}_B{number}.TIF", 1, 32, 30.0)
    (folder / f"{stem}_MTL.txt").write_text(MTL)
    return folder


DIM = """<?xml version="1.0" encoding="UTF-8"?>
<Dimap_Document>
  <Metadata_Identification><METADATA_FORMAT version="2.0">DIMAP</METADATA_FORMAT></Metadata_Identification>
  <Dataset_Identification><DATASET_NAME>{name}</DATASET_NAME></Dataset_Identification>
  <Dataset_Sources><Source_Identification><Strip_Source>
    <MISSION>PHR</MISSION><MISSION_INDEX>1A</MISSION_INDEX>
    <IMAGING_DATE>2013-02-18</IMAGING_DATE><IMAGING_TIME>11:07:14.8Z</IMAGING_TIME>
  </Strip_Source></Source_Identification></Dataset_Sources>
  <Raster_Data>
    <Data_Access><Data_Files>
      <Data_File tile_R="1" tile_C="1"><DATA_FILE_PATH href="IMG_{name}_R1C1.TIF"/></Data_File>
    </Data_Files></Data_Access>
    <Raster_Dimensions><NROWS>{size}</NROWS><NCOLS>{size}</NCOLS><NBANDS>{bands}</NBANDS></Raster_Dimensions>
    <Raster_Encoding><DATA_TYPE>INTEGER</DATA_TYPE><NBITS>16</NBITS><SIGN>UNSIGNED</SIGN></Raster_Encoding>
  </Raster_Data>
</Dimap_Document>
"""


def dimap(folder: Path, kind: str, bands: int, size: int, pixel: float) -> np.ndarray:
    name = f"PHR1A_{kind}_201302181107148_ORT_0001"
    values = image(folder / f"IMG_PHR1A_{kind}_001" / f"IMG_{name}_R1C1.TIF", bands, size, pixel)
    text = DIM.format(name=name, size=size, bands=bands)
    (folder / f"IMG_PHR1A_{kind}_001" / f"DIM_{name}.XML").write_text(text)
    return values


IMD = """numRows = {size};
numColumns = {size};
bitsPerPixel = 16;
BEGIN_GROUP = IMAGE_1
\tsatId = "WV02";
\tfirstLineTime = 2016-02-12T02:51:06.123456Z;
END_GROUP = IMAGE_1
END;
"""
TILE = """\tfilename = "{name}";
\tULColOffset = {left};
\tULRowOffset = 0;
\tURColOffset = {right};
\tURRowOffset = 0;
\tLRColOffset = {right};
\tLRRowOffset = {bottom};
\tLLColOffset = {left};
\tLLRowOffset = {bottom};
"""


def maxar(folder: Path, kind: str, bands: int, size: int, pixel: float) -> np.ndarray:
    """A strip of one tile with its index."""
    stem = folder / f"055670633010_01_P001_{kind}" / f"16FEB12025106-{kind[0]}2AS-055670633010_01_P001"
    name = f"{stem.name}_R1C1.TIF"
    values = image(stem.with_name(name), bands, size, pixel)
    stem.with_suffix(".IMD").write_text(IMD.format(size=size))
    tile = TILE.format(name=name, left=0, right=size - 1, bottom=size - 1)
    stem.with_suffix(".TIL").write_text(
        f'bandId = "{kind[0]}";\nnumTiles = 1;\nBEGIN_GROUP = TILE_1\n{tile}END_GROUP = TILE_1\nEND;\n'
    )
    return values
