"""A stand-in for the transit engine of HashiCorp Vault, written from its public description of the HTTP API.

It speaks `encrypt` and `decrypt` with `associated_data`, tokens, namespaces, policies as sets of paths, sealing, and
`min_decryption_version`; what it encrypts is kept in a table. The real thing is tried in `test_openbao.py`.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any


class Transit:
    """What the server holds, for tests to look at and to change."""

    def __init__(self) -> None:
        self.address = ""
        self.tokens: dict[str, set[str]] = {"root": {"encrypt", "decrypt"}}
        self.keys = {("", "transit", "backups"), ("team-a", "transit", "backups")}
        self.sealed = False
        self.broken = b""
        self.redirect = ""
        self.oldest = 1
        self.kept: dict[str, tuple[Any, ...]] = {}
        self.requests: list[tuple[str, str]] = []

    def answer(self, path: str, token: str, namespace: str, body: dict[str, str]) -> tuple[int, Any]:
        """Return status and body for a request."""
        self.requests.append((path, token))
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        mount, operation, name = path.removeprefix("/v1/").rsplit("/", 2)
        if operation not in self.tokens.get(token, ()):
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        if mount != "transit":
            return 404, {"errors": [f"no handler for route {path.removeprefix('/v1/')!r}. route entry not found."]}
        if (namespace, mount, name) not in self.keys:
            return 400, {"errors": ["encryption key not found"]}
        bound = (namespace, name, body.get("associated_data", ""))
        if operation == "encrypt":
            ciphertext = "vault:v1:" + base64.b64encode(str(len(self.kept)).encode()).decode()
            self.kept[ciphertext] = (*bound, body["plaintext"])
            return 200, {"data": {"ciphertext": ciphertext, "key_version": 1}}
        if self.oldest > 1:
            return 400, {"errors": ["ciphertext or signature version is disallowed by policy (too old)"]}
        kept = self.kept.get(body["ciphertext"])
        if kept is None or kept[:3] != bound:
            return 400, {"errors": ["invalid ciphertext: could not decrypt"]}
        return 200, {"data": {"plaintext": kept[3]}}


@contextlib.contextmanager
def started() -> Iterator[Transit]:
    """Run the server within the context."""
    transit = Transit()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            token, namespace = self.headers.get("X-Vault-Token", ""), self.headers.get("X-Vault-Namespace", "")
            if transit.redirect:
                self.send_response(302)
                self.send_header("Location", transit.redirect + self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, answer = transit.answer(self.path, token, namespace, body)
            data = transit.broken or json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            transit.requests.append((self.path, self.headers.get("X-Vault-Token", "")))
            self.send_error(405)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    transit.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield transit
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
