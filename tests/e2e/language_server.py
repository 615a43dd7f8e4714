"""A small client of the YAML language server, the one behind the YAML support of most editors."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PACKAGE = "yaml-language-server"
VERSION = "1.25.0"
CURSOR = "¦"


def program() -> list[str]:
    """Return the command that starts the server; it is installed into the cache of the user on first use."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node or npm is missing: apt-get install nodejs npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blueprint-runner-tests"
    place = cache / f"{PACKAGE}-{VERSION}"
    if not place.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(npm, cache, place)
    return [node, str(place / "node_modules" / PACKAGE / "bin" / PACKAGE), "--stdio"]


def _install(npm: str, cache: Path, place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as name:
        made = Path(name) / "made"
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(made), f"{PACKAGE}@{VERSION}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"npm cannot install it: npm install {PACKAGE}@{VERSION}: {done.stderr[-200:]}")
        with contextlib.suppress(OSError):  # another process was first
            made.rename(place)


@dataclass(slots=True)
class Client:
    """Talks to a running server; documents are texts with a mark where the cursor is."""

    process: subprocess.Popen[bytes]
    settings: dict[str, Any]
    directory: Path
    findings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _sent: int = 0
    _is_configured: bool = False

    def start(self) -> None:
        """Introduce ourselves, and wait until the server has read its settings."""
        completion = {"completionItem": {"documentationFormat": ["markdown"], "snippetSupport": True}}
        document = {"completion": completion, "hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {}}
        capabilities = {"textDocument": document, "workspace": {"configuration": True}}
        self.ask("initialize", processId=None, rootUri=self.directory.as_uri(), capabilities=capabilities)
        self.tell("initialized")
        self.tell("workspace/didChangeConfiguration", settings=self.settings)
        while not self._is_configured:
            self._take(self._read())

    def completions(self, marked: str) -> dict[str, Any]:
        """Return what is offered at the cursor: label to documentation."""
        found = self.ask("textDocument/completion", **self._opened(marked))
        return {item["label"]: item.get("documentation", "") for item in found["items"]}

    def hover(self, marked: str) -> str:
        """Return what is shown for what is under the cursor."""
        return str(self.ask("textDocument/hover", **self._opened(marked))["contents"]["value"])

    def diagnostics(self, text: str) -> list[tuple[int, str]]:
        """Return what is found in a document: line, counted from 1, and message."""
        uri = self._opened(text)["textDocument"]["uri"]
        while uri not in self.findings:
            self._take(self._read())
        return [(found["range"]["start"]["line"] + 1, found["message"]) for found in self.findings[uri]]

    def _opened(self, marked: str) -> dict[str, Any]:
        before, _, after = marked.partition(CURSOR)
        uri = (self.directory / f"document-{self._sent}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": before + after}
        self.tell("textDocument/didOpen", textDocument=document)
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return {"textDocument": {"uri": uri}, "position": position}

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request and return its result."""
        self._sent += 1
        number = self._sent
        self._write({"id": number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                return message["result"]
            self._take(message)

    def tell(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self._sent += 1
        self._write({"method": method, "params": params})

    def _take(self, message: dict[str, Any]) -> None:
        """Keep findings, and answer what the server asks."""
        if message.get("method") == "textDocument/publishDiagnostics":
            self.findings[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "id" in message:
            asked = message.get("params", {}).get("items", [])
            is_settings = message["method"] == "workspace/configuration"
            result = [self.settings.get(item.get("section")) for item in asked] if is_settings else None
            self._is_configured |= is_settings
            self._write({"id": message["id"], "result": result})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b": ")
            length = int(value) if name == b"Content-Length" else length
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return message


@contextlib.contextmanager
def serving(schema: Path, directory: Path) -> Iterator[Client]:
    """Run a server that knows one schema for all documents."""
    command = program()
    yaml = {
        "schemas": {schema.as_uri(): ["*.yaml"]},
        "schemaStore": {"enable": False},
        **dict.fromkeys(("validate", "completion", "hover"), True),
    }
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        client = Client(process, {"yaml": yaml, "http": {}, "[yaml]": {}, "editor": {}, "files": {}}, directory)
        try:
            client.start()
            yield client
        finally:
            process.kill()
