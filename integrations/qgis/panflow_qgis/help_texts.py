# SPDX-License-Identifier: GPL-2.0-or-later
"""What the dialogs say beside their parameters."""

TEXTS = {
    "sharpen": (
        "Fuses a fine panchromatic layer (PAN) and a coarse multispectral one (MS) into one sharp layer with all the "
        "bands of MS, on the pixels of PAN.",
        "How far MS is displaced against PAN is measured in every run, and corrected where the scene shows it surely; "
        "the log and the outputs say by how much. Type, nodata and band names are those of MS; the file is a "
        "cloud-optimised GeoTIFF.",
        "Memory is bounded: whole scenes are worked through in blocks.",
    ),
    "sharpenscene": (
        "Sharpens a scene from the folder in which it was delivered: PAN, MS bands and sensor are read from its "
        "metadata (Landsat, Airbus DIMAP, Maxar, Gaofen, CBERS), or by a STAC Item.",
    ),
    "assess": (
        "Judges a sharpened layer of any tool: by PAN and MS without a reference, or by the truth where there is one.",
        "The log has the indices; the table has their 95 % intervals too.",
    ),
    "compare": (
        "Runs methods on the least, the median and the most textured crop of a scene, judges them at full resolution "
        "without reference and at reduced resolution against MS itself, and draws them side by side.",
    ),
    "degrade": (
        "Reduces a pair to the resolution of MS by Wald's protocol: pan.tif and ms.tif to sharpen, and reference.tif, "
        "which is MS as it was, to assess the result by.",
    ),
    "batch": (
        "Sharpens every scene of a folder or a manifest, and keeps a journal in the folder of the results.",
        "Run again, it does what is missing, what has failed and what is asked for otherwise. A broken scene does not "
        "stop the others.",
    ),
}
CALLS = "Calls the command panflow, which is installed apart from QGIS (pipx install panflow)."


def of(name):
    """The text of an algorithm, as HTML."""
    return "".join(f"<p>{text}</p>" for text in (*TEXTS[name], CALLS))
