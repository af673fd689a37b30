"""A Python index, an npm registry and a Go proxy of our own, with packages that are traps beside good ones."""

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class PackageServer:
    """Serves files over HTTP on loopback; `asked` holds every path that was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def add_wheel(self, name: str, version: str, files: Mapping[str, str], requires: tuple[str, ...] = ()) -> str:
        """A wheel in the PEP 503 index; its sha256."""
        wheel = wheel_of(name, version, files, requires)
        self._add_python(name, f"{name}-{version}-py3-none-any.whl", wheel)
        return hashlib.sha256(wheel).hexdigest()

    def add_sdist(self, name: str, version: str, setup: str) -> None:
        """A source distribution, whose setup.py a careless tool would run."""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        parts = {"setup.py": setup, "PKG-INFO": metadata}
        self._add_python(
            name, f"{name}-{version}.tar.gz", _tar({f"{name}-{version}/{at}": t for at, t in parts.items()})
        )

    def _add_python(self, name: str, filename: str, content: bytes) -> None:
        self.files[f"/packages/{filename}"] = content
        page = self.files.get(f"/simple/{name}/", b"<!DOCTYPE html>\n").decode()
        digest = hashlib.sha256(content).hexdigest()
        link = f'<a href="/packages/{filename}#sha256={digest}">{filename}</a>\n'
        self.files[f"/simple/{name}/"] = (page + link).encode()

    def add_npm(self, name: str, version: str, files: Mapping[str, str]) -> dict[str, str]:
        """A package of the npm registry; what a lock file says of it."""
        tarball = _tar({f"package/{path}": text for path, text in files.items()})
        path = f"/{name}/-/{name}-{version}.tgz"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        self.files[path] = tarball
        package = json.loads(files["package.json"])
        dist = {"tarball": self.url + path, "integrity": integrity}
        packument = {"name": name, "dist-tags": {"latest": version}, "versions": {version: {**package, "dist": dist}}}
        self.files[f"/{name}"] = json.dumps(packument).encode()
        return {"version": version, "resolved": self.url + path, "integrity": integrity}


@contextmanager
def package_server() -> Iterator[PackageServer]:
    """The server, until the block is left."""
    known = PackageServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            body = known.files.get(self.path)
            self.send_response(200 if body is not None else 404)
            kind = "text/html" if self.path.startswith("/simple/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wheel_of(name: str, version: str, files: Mapping[str, str], requires: tuple[str, ...] = ()) -> bytes:
    """A pure wheel, as the standard describes it."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    parts = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*parts, f"{info}/RECORD"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (*parts.items(), (f"{info}/RECORD", record)):
            archive.writestr(zipfile.ZipInfo(path), text)
    return buffer.getvalue()


def add_go_module(proxy: Path, module: str, version: str, files: Mapping[str, str]) -> None:
    """A module of a GOPROXY folder."""
    folder = proxy / module / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "list").open("a") as listed:
        listed.write(f"{version}\n")
    (folder / f"{version}.info").write_text(json.dumps({"Version": version}))
    (folder / f"{version}.mod").write_text(files["go.mod"])
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        for path, text in files.items():
            archive.writestr(f"{module}@{version}/{path}", text)


def write(tree: Path, files: Mapping[str, str]) -> None:
    """Files of a tree, which belong to whom the tree belongs to."""
    owner = tree.stat()
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for place in tree.rglob("*"):
        os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()
