"""Servers on this machine for what is remote: a folder on the web, and faults before any server."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def running(handler: Any) -> Iterator[str]:
    """HOST:PORT of a server, while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Web(Quiet):
    """A folder of files as Apache serves it: ranges, and an index of a folder."""

    def __init__(self, root: Path, *arguments: Any):
        self.root = root
        super().__init__(*arguments)

    def do_GET(self) -> None:
        path = self.root / self.path.partition("?")[0].lstrip("/")
        if path.is_dir():
            links = "".join(f'<a href="{p.name}{"/" * p.is_dir()}">{p.name}</a>\n' for p in sorted(path.iterdir()))
            title = self.path.rstrip("/") or "/"
            self.answer(
                200, f"<html><title>Index of {title}</title>\n{links}</html>".encode(), Content_Type="text/html"
            )
        elif not path.is_file():
            self.answer(404)
        else:
            data = path.read_bytes()
            if wanted := self.headers.get("Range"):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
                self.answer(206, data[start : end + 1], Content_Range=f"bytes {start}-{end}/{len(data)}")
            else:
                self.answer(200, data, Accept_Ranges="bytes")

    do_HEAD = do_GET


class Faulty(Quiet):
    """Hands requests on to a server and its answers back, all but every n-th: `refuse` answers that with 503,
    `truncate` cuts it off in the middle. `lose` hands on only half of what is uploaded."""

    count = 0
    lock = threading.Lock()

    def __init__(self, behind: str, fault: str, every: int, *arguments: Any):
        self.behind, self.fault, self.every = behind, fault, every
        super().__init__(*arguments)

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with Faulty.lock:
            Faulty.count += 1
            faulty = Faulty.count % self.every == 0
        if faulty and self.fault == "refuse":
            self.answer(503, b"<Error><Code>SlowDown</Code></Error>")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("content-length", "expect")}
        if self.fault == "lose" and body:
            body = body[: len(body) // 2]
        connection = http.client.HTTPConnection(self.behind)
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        passed = ("content-range", "content-type", "etag", "last-modified", "accept-ranges")
        kept = {k.replace("-", "_"): v for k, v in response.getheaders() if k.lower() in passed}
        length = int(response.getheader("Content-Length", len(data)))
        if faulty and self.fault == "truncate" and len(data) > 1000:
            self.close_connection = True
            data = data[: len(data) // 2]
        self.answer(response.status, data, length, **kept)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET


@contextmanager
def moto() -> Iterator[str]:
    """HOST:PORT of an S3 server, empty, in a process of its own: GDAL may hold Python's lock while it waits for it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host, port = free.getsockname()
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                with suppress(OSError), socket.create_connection((host, port), timeout=1):
                    break
                time.sleep(0.1)
            yield f"{host}:{port}"
        finally:
            process.kill()


def web(root: Path) -> Any:
    return running(partial(Web, root))


def faulty(behind: str, fault: str, every: int = 5) -> Any:
    return running(partial(Faulty, behind, fault, every))


class Bucket:
    """A bucket of an S3 server, looked at by another client than GDAL."""

    def __init__(self, host: str, name: str):
        import boto3

        self.client, self.name = boto3.client("s3", endpoint_url=f"http://{host}", region_name="us-east-1"), name
        self.client.create_bucket(Bucket=name)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def list(self) -> set[str]:
        return {o["Key"] for o in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])}

    def url(self, key: str) -> str:
        return f"s3://{self.name}/{key}"
