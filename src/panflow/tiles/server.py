"""A map of one scene for a browser on this machine: tiles that are sharpened on the fly, and a page to compare them."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image
from rio_tiler.errors import TileOutsideBounds

from panflow.errors import PanflowError
from panflow.pictures import composite, picture
from panflow.tiles.live import Live
from panflow.tiles.reader import WGS84, Reader

FOLDER = Path(__file__).parent
FILES = {  # all that the page consists of
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
TILE = re.compile(r"/tiles/([\w-]+)/(1?\d|2[0-4])/(\d{1,9})/(\d{1,9})\.png")  # zooms to 24, as far as the web's go
DAY = 86400  # seconds that a browser may keep a tile: its address has the start of the server in it


class Server(ThreadingHTTPServer):
    """A scene at an address (host, port); port 0 is any that is free. OSError where the address is taken.

    methods: that may be asked for, "exp" (MS interpolated) among them; method: that the page begins with; jobs: tiles
    that are worked on at once, by threads that stay, since each has its files open.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], live: Live, methods: Sequence[str], method: str, jobs: int):
        super().__init__(address, Handler)
        self.live, self.methods, self.method = live, methods, method
        self.started = int(time.time())
        self.workers = ThreadPoolExecutor(jobs)
        self.shown = composite.composite(live.source.sensor.bands)
        before = Reader(live, method="exp").preview(max_size=512, indexes=[i + 1 for i in self.shown]).array
        self.limits = picture.limits([np.ma.filled(before.astype(float), np.nan)])

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing where a browser has gone: it gives up tiles whenever the map moves on."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/"

    def scene(self) -> dict[str, object]:
        """What the page must know."""
        reader = Reader(self.live, method=self.method)
        west, south, east, north = reader.get_geographic_bounds(WGS84)
        return {
            "name": Path(self.live.source.pan_path).name,
            "bounds": [west, south, east, north],
            "zooms": [reader.minzoom, reader.maxzoom],
            "methods": list(self.methods),
            "method": self.method,
            "tiles": "/tiles/{method}/{z}/{x}/{y}.png?" + str(self.started),
        }

    def tile(self, method: str, z: int, x: int, y: int) -> bytes:
        """A PNG of red, green, blue (or grey) and alpha. Raises TileOutsideBounds, InputError."""
        tile = Reader(self.live, method=method).tile(x, y, z, indexes=[i + 1 for i in self.shown])
        pixels = picture.stretch(tile.array.data, self.limits, composite.GAMMA)
        valid = np.where(np.ma.getmaskarray(tile.array)[:1], np.uint8(0), np.uint8(255))
        planes = np.concatenate([np.broadcast_to(pixels, (3, *pixels.shape[1:])), valid])
        file = io.BytesIO()
        Image.fromarray(np.moveaxis(planes, 0, -1).copy()).save(file, "PNG", compress_level=1)
        return file.getvalue()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in FILES:
            name, kind = FILES[path]
            self._answer(200, kind, (FOLDER / name).read_bytes())
        elif path == "/scene.json":
            self._answer(200, "application/json", json.dumps(self.server.scene()).encode())
        elif (match := TILE.fullmatch(path)) and match[1] in self.server.methods:
            self._tile(match[1], *map(int, match.groups()[1:]))
        else:
            self._answer(404, "text/plain; charset=utf-8", b"there is nothing here")

    def _tile(self, method: str, z: int, x: int, y: int) -> None:
        try:
            data = self.server.workers.submit(self.server.tile, method, z, x, y).result()
        except TileOutsideBounds:
            self._answer(404, "text/plain; charset=utf-8", b"outside of the scene")
        except Exception as error:  # one tile's trouble is not the server's
            words = str(error) if isinstance(error, PanflowError) else f"unexpected {type(error).__name__}: {error}"
            self._answer(500, "text/plain; charset=utf-8", words.encode())
        else:
            self._answer(200, "image/png", data, DAY)

    def _answer(self, status: int, kind: str, data: bytes, age: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", f"max-age={age}" if age else "no-cache")
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src 'self' data:")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """The console is for what concerns people."""


__all__ = ["Server"]
