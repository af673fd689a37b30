"""The HTTP server that both demo services are written around: the kind of small server a team keeps for itself."""

SERVER = '''"""A small JSON server on the standard library: one handler function a route prefix."""

import json
import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = logging.getLogger("http")


def serve(port, routes):
    """Serve `routes` (path prefix -> function of the rest of the path) until the process ends."""
    ThreadingHTTPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("", port), _handler(routes))
    log.info("listening on port %d", port)
    server.serve_forever()


def _handler(routes):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            began = time.monotonic()
            status, document = self._answer()
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            took = (time.monotonic() - began) * 1000
            log.info("%s %s %d %.1fms", self.command, self.path, status, took)

        def _answer(self):
            for prefix, handle in routes.items():
                if self.path == prefix or self.path.startswith(prefix + "/"):
                    try:
                        return 200, handle(self.path[len(prefix):].strip("/"))
                    except LookupError as error:
                        return 404, {"error": str(error)}
                    except Exception:
                        log.exception("%s %s failed", self.command, self.path)
                        return 500, {"error": "internal error"}
            return 404, {"error": "not found"}

        def log_message(self, *args):
            pass

    return Handler
'''

MAIN = '''"""Start the service."""

import argparse
import logging
import sys

from $package.routes import routes
from $package.server import serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    serve(port, routes())


if __name__ == "__main__":
    main()
'''

SELFHEAL = """run: python3 -m $package --port {port}
test: python3 -m unittest discover -s tests
"""


def framework(package: str) -> dict[str, str | None]:
    """The files that every service starts with."""
    return {
        f"{package}/__init__.py": "",
        f"{package}/__main__.py": MAIN.replace("$package", package),
        f"{package}/server.py": SERVER,
        ".selfheal.yml": SELFHEAL.replace("$package", package),
        "tests/__init__.py": "",
    }
