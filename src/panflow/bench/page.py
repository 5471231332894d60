"""The report: one HTML file with tables, figures and a swipe between any two methods, that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import defaultdict
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from panflow.bench import figures, formats, pictures, table
from panflow.bench.plan import Plan
from panflow.bench.table import Rows
from panflow.files import output

HERE = Path(__file__).parent


def write(plan: Plan, rows: Rows, root: Path, folder: Path) -> Path:
    """tables/ and report.html of a plan's results; returns the report's path."""
    tables = table.build(plan, rows)
    formats.write(tables, folder / "tables")
    drawn = [
        f'<figure><img src="{figures.uri(figure)}" alt="{html.escape(caption)}" loading="lazy">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, figure in figures.build(plan, rows, tables, root, folder)
    ]
    parts = {
        "title": html.escape(plan.title),
        "about": html.escape(plan.about),
        "tables": "\n".join(f'<div class="wide">{formats.as_html(one)}</div>' for one in tables),
        "viewer": _viewer(rows, folder),
        "figures": "\n".join(drawn),
        "versions": html.escape(_versions(rows)),
        "plan": html.escape(json.dumps(plan.dump(), indent=1)),
    }
    path = folder / "report.html"
    output.write(path, Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(parts))
    return path


def _viewer(rows: Rows, folder: Path) -> str:
    """The swipe, with every picture that was kept; nothing where none was."""
    uris: dict[str, dict[str, str]] = defaultdict(dict)
    for method, result in rows:
        where = (result.data, result.image, result.protocol)
        name = ", ".join(where)
        if arrays := pictures.load(folder, result.key):
            if name not in uris:
                inputs = pictures.load(folder, pictures.source(*where))
                uris[name] |= {title: _uri(picture) for title, picture in inputs.items()}
            uris[name][method.label] = _uri(arrays["picture"])
    if not uris:
        return ""
    listing = json.dumps(uris).replace("<", "\\u003c")
    return Template((HERE / "viewer.html").read_text(encoding="utf-8")).substitute(pictures=listing)


def _uri(picture: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=figures.QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _versions(rows: Rows) -> str:
    """Versions and dates of the results."""
    results = [result for _, result in rows]
    versions = sorted({f"{k} {v}" for r in results for k, v in r.environment.items() if k != "time"})
    times = sorted(str(result.environment["time"]) for result in results if "time" in result.environment)
    span = f" between {times[0]} and {times[-1]}" if times else ""
    return f"{len(results)} results{span}: {', '.join(versions)}."
