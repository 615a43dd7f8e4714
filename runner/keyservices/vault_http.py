"""One request to a server of the Vault API; imported only where there is one to make."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

from runner.registry import key_service

_TIMEOUT_S = 15
_MOST = 1 << 20


def post(url: str, headers: Mapping[str, str], body: bytes, ca: str) -> tuple[int, bytes]:
    """Return status and body of the answer; nothing is sent to any other server than the one that is named.

    Args:
        url: Where.
        headers: With the token.
        body: JSON.
        ca: File with the certificates of an authority; empty for the known ones.

    Raises:
        KeyRefused: If there is no answer.
    """
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with _opener(ca).open(request, timeout=_TIMEOUT_S) as response:
            return response.status, response.read(_MOST)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, problem.read(_MOST)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise key_service.KeyRefused(
            f"the vault at {url.partition('/v1/')[0]} does not answer",
            details=str(getattr(problem, "reason", problem)),
            hint="look at the address, the network and the certificate of the vault, and try again",
        ) from problem


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is sent to no server but the one that was named."""

    def redirect_request(self, *_: object) -> None:
        return None


def _opener(ca: str) -> urllib.request.OpenerDirector:
    try:
        trusted = ssl.create_default_context(cafile=ca or None)
    except OSError as problem:
        raise key_service.KeyRefused(
            f"the certificates {ca} cannot be used", details=str(problem), hint="correct caFile or VAULT_CACERT"
        ) from problem
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=trusted), _NoRedirect())
