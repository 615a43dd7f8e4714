"""A stand-in for object stores that speak the XML API of S3 and of Google Cloud Storage, written from its description.

It checks no signatures and keeps everything in memory. What it is for: a store whose emulators do not take what our
client sends (Google's: docs/locations.md says what fails), stores that do not honour conditional writes, and answers
that no real server gives when a test wants them.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import itertools
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import server as http
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from runner.base.jsonvalue import JsonObject

_PAGE = 7
_WHEN = "Sun, 01 Mar 2026 12:00:00 GMT"
_CREDENTIALS = (
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
    "<AccessKeyId>OF-A-ROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
)
_WHEN_LISTED = "2026-03-01T12:00:00.250Z"


@dataclass(slots=True, kw_only=True)
class Odd:
    """An answer out of the ordinary, given once to the next request with this method.

    Attributes:
        done: Whether the request takes effect all the same.
        short: How many bytes of the body are left out, as when a connection breaks.
    """

    method: str
    status: int = 200
    code: str = ""
    done: bool = False
    short: int = 0


@dataclass(slots=True, kw_only=True)
class XmlStore:
    """A running stand-in."""

    endpoint: str = ""
    honours_conditions: bool = True
    knows_conditions: bool = True
    throttles_every: int = 0
    throttles_with: int = 503
    refused: int = 0
    odd: list[Odd] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def s3(self, directory: Path, **others: str | bool) -> JsonObject:
        """Return the `spec` of a profile that takes it for an S3 server."""
        file = directory / "aws.credentials"
        file.write_text("aws_access_key_id = KEY\naws_secret_access_key = stand-in-secret\n")
        return {
            "type": "s3",
            "bucket": "backups",
            "endpoint": self.endpoint,
            "credentialsFile": str(file),
            **others,
        }

    def gcs(self, directory: Path, **others: str | bool) -> JsonObject:
        """Return the `spec` of a profile that takes it for Google Cloud Storage."""
        file = directory / "service-account.json"
        account = {"disable_oauth": True, "client_email": "", "private_key": ""}
        file.write_text(json.dumps({**account, "private_key_id": ""}))
        return {
            "type": "gcs",
            "bucket": "backups",
            "endpoint": self.endpoint,
            "credentialsFile": str(file),
            **others,
        }


@contextlib.contextmanager
def started(*, certificate: Path | None = None, **settings: Any) -> Iterator[XmlStore]:
    """Serve one within the context; with a certificate (and its key in the same file) over TLS.

    Every so-manieth request can be refused as one too many (503 SlowDown, or another status), without effect.
    """
    store = XmlStore(**settings)
    listener = http.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": store}))
    listener.daemon_threads = True
    store.endpoint = f"http://127.0.0.1:{listener.server_address[1]}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        store.endpoint = f"https://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield store
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Refused(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class _Handler(http.BaseHTTPRequestHandler):
    store: XmlStore
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together: in two pieces each answer would wait 40 ms for an acknowledgement

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if "WebIdentityToken" in query:
            self.store.requests.append(f"{query['Action']} {query['RoleArn']} {query['WebIdentityToken']}")
            self._answer(200, {}, _CREDENTIALS.encode(), 0)
            return
        self.store.users.add((self.headers.get("Authorization") or "").partition("Credential=")[2].partition("/")[0])
        _, bucket, key = (urllib.parse.unquote(url.path) + "//").split("/", 2)
        key = key.rstrip("/")
        with self.store.lock:
            self.store.requests.append(f"{self.command} {key}")
            odd = next((each for each in self.store.odd if each.method == self.command), None)
            if odd is not None:
                self.store.odd.remove(odd)
            elif self.store.throttles_every and len(self.store.requests) % self.store.throttles_every == 0:
                self.store.refused += 1
                odd = Odd(method=self.command, status=self.store.throttles_with, code="SlowDown")
            try:
                if odd is not None and odd.status != 200 and not odd.done:
                    raise _Refused(odd.status, odd.code)
                if bucket != "backups":
                    raise _Refused(404, "NoSuchBucket")
                status, headers, data = getattr(self, f"_{self.command.lower()}")(key, query, body)
                if odd is not None and odd.status != 200:
                    raise _Refused(odd.status, odd.code)
            except _Refused as problem:
                text = f"<Error><Code>{problem.code}</Code><Message>as the test wants it</Message></Error>"
                status, headers, data = problem.status, {}, text.encode()
        self._answer(status, headers, data, odd.short if odd is not None else 0)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve

    def _answer(self, status: int, headers: dict[str, str], data: bytes, short: int) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) - short])
        if short:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _is_once(self) -> bool:
        asked = self.headers.get("If-None-Match") == "*" or self.headers.get("x-goog-if-generation-match") == "0"
        if asked and not self.store.knows_conditions:
            raise _Refused(501, "NotImplemented")
        return asked and self.store.honours_conditions

    def _put(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if "uploadId" in query:
            self.store.uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            if self._is_once() and key in self.store.objects:
                raise _Refused(412, "PreconditionFailed")
            self.store.objects[key] = body
        return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"', "x-goog-generation": "1"}, b""

    def _post(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if "uploads" in query:
            upload = str(next(self.store.numbers))
            self.store.uploads[upload] = {}
            begun = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            return 200, {}, begun.encode()
        parts = self.store.uploads.pop(query["uploadId"])
        self.store.objects[key] = b"".join(parts[number] for number in sorted(parts))
        etag = f"<CompleteMultipartUploadResult><ETag>{len(parts)}</ETag></CompleteMultipartUploadResult>"
        return 200, {"x-goog-generation": "1"}, etag.encode()

    def _facts(self, key: str) -> tuple[bytes, dict[str, str]]:
        if key not in self.store.objects:
            raise _Refused(404, "NoSuchKey")
        data = self.store.objects[key]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        return data, {"ETag": etag, "Last-Modified": _WHEN, "Date": email.utils.formatdate(usegmt=True)}

    def _head(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        data, headers = self._facts(key)
        return 200, {**headers, "Content-Length": str(len(data))}, b""

    def _get(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not key:
            return 200, {}, self._listing(query)
        data, headers = self._facts(key)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if asked is None:
            return 200, headers, data
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        if first >= len(data):
            raise _Refused(416, "InvalidRange")
        return 206, {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}, data[first : last + 1]

    def _listing(self, query: dict[str, str]) -> bytes:
        after = query.get("continuation-token") or query.get("start-after") or ""
        found = sorted(key for key in self.store.objects if key.startswith(query.get("prefix", "")) and key > after)
        rows = [
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_WHEN_LISTED}</LastModified>"
            f"<ETag>1</ETag><Size>{len(self.store.objects[key])}</Size></Contents>"
            for key in found[:_PAGE]
        ]
        more = len(found) > _PAGE
        token = f"<NextContinuationToken>{escape(found[_PAGE - 1])}</NextContinuationToken>" if more else ""
        text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(rows)}"
        return f"{text}</ListBucketResult>".encode()

    def _delete(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.store.objects.pop(key, None) is None and self.headers.get("x-goog-user-project") is not None:
            raise _Refused(404, "NoSuchKey")
        return 204, {}, b""
