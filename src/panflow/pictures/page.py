"""A page of HTML that needs nothing else: pictures lie in it, and its one script too."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from string import Template

from PIL import Image

HERE = Path(__file__).parent
QUALITY = 90  # of JPEG


def page(title: str, about: str, body: str) -> str:
    """title: plain text; about, body: HTML."""
    return _filled("page", title=html.escape(title), about=about, body=body)


def viewer(images: Mapping[str, Mapping[str, str]]) -> str:
    """A swipe between any two pictures of an image, by their names; nothing where there are none."""
    return _filled("viewer", pictures=json.dumps(images).replace("<", "\\u003c")) if images else ""


def uri(picture: Image.Image) -> str:
    """The picture itself, as an address."""
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _filled(name: str, **parts: str) -> str:
    return Template((HERE / f"{name}.html").read_text(encoding="utf-8")).substitute(parts)
