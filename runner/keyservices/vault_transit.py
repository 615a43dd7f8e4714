"""The transit engine of HashiCorp Vault (and OpenBao): `encrypt` and `decrypt` over HTTP, bound to a repository."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.base import errors, ids
from runner.base.jsonvalue import JsonObject
from runner.registry import key_service

_OK = 200
_KEY_SIZE = 32
# A slot is not trusted before it is opened, and this becomes the path of a request that carries the token.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)+")


class VaultTransit:
    """Wraps keys with a key of the transit engine.

    Address, namespace and token are those of the environment or the profile, never of a key slot: whoever can write to
    the location must not be able to have the token sent to a server of theirs.

    Args:
        settings: `vault` of a location profile.
        environment: For `VAULT_ADDR`, `VAULT_TOKEN`, `VAULT_NAMESPACE` and `VAULT_CACERT`.
        random: Source of keys.
        home: Where `.vault-token` may be.
    """

    kind = "vault-transit"

    def __init__(
        self,
        settings: JsonObject,
        environment: Mapping[str, str],
        *,
        random: ids.RandomBytes = ids.random_bytes,
        home: Path | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._random = random
        self._home = home

    def wrap(self, key: str, context: Mapping[str, str]) -> tuple[bytes, key_service.WrappedKey]:
        """Have a fresh key encrypted."""
        plain = self._random(_KEY_SIZE)
        answer = self._call(key, "encrypt", {"plaintext": _base64(plain), **_bound(context)})
        return plain, key_service.WrappedKey(key=key, blob=str(answer.get("ciphertext", "")).encode())

    def unwrap(self, wrapped: key_service.WrappedKey, context: Mapping[str, str]) -> bytes:
        """Have the key decrypted."""
        ciphertext = wrapped.blob.decode("ascii", "replace")
        answer = self._call(wrapped.key, "decrypt", {"ciphertext": ciphertext, **_bound(context)})
        try:
            return base64.b64decode(str(answer.get("plaintext", "")), validate=True)
        except binascii.Error as problem:
            raise _no_vault() from problem

    def _call(self, key: str, operation: str, body: Mapping[str, str]) -> Mapping[str, Any]:
        if not _KEY.fullmatch(key):
            raise errors.UsageError(f'"{key}" is not a key of Vault', hint="write MOUNT/KEY, such as transit/backups")
        mount, _, name = key.rpartition("/")
        address = self._setting("address", "VAULT_ADDR").rstrip("/")
        if not address:
            raise key_service.KeyRefused(
                "not tried: no address of a vault is known here",
                hint="set VAULT_ADDR, or vault.address in the location profile",
            )
        from runner.keyservices import vault_http

        url = f"{address}/v1/{mount}/{operation}/{name}"
        ca = self._setting("caFile", "VAULT_CACERT")
        status, text = vault_http.post(url, self._headers(), json.dumps(body).encode(), ca)
        if status != _OK:
            raise _refused(status, text, operation, key)
        return _data(text)

    def _setting(self, name: str, variable: str) -> str:
        return str(self._settings.get(name) or self._environment.get(variable) or "")

    def _headers(self) -> dict[str, str]:
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true", "Content-Type": "application/json"}
        namespace = self._setting("namespace", "VAULT_NAMESPACE")
        return headers | ({"X-Vault-Namespace": namespace} if namespace else {})

    def _token(self) -> str:
        """Return the token of the profile's file, the environment, or the one that `vault login` has left."""
        named = self._settings.get("tokenFile")
        if not named and self._environment.get("VAULT_TOKEN"):
            return self._environment["VAULT_TOKEN"].strip()
        path = Path(str(named)) if named else (self._home or Path.home()) / ".vault-token"
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            said = f"the token file {path} cannot be read" if named else "there is no token for the vault here"
            raise key_service.KeyRefused(
                said, hint="set VAULT_TOKEN, or vault.tokenFile in the location profile"
            ) from problem
        if not token.isprintable() or not token:
            raise key_service.KeyRefused(f"the token file {path} holds no token", hint="put the token into it")
        return token


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bound(context: Mapping[str, str]) -> dict[str, str]:
    return {"associated_data": _base64(json.dumps(dict(sorted(context.items()))).encode())}


def _data(text: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(text)["data"]
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise _no_vault()
    return data


def _no_vault() -> key_service.KeyRefused:
    return key_service.KeyRefused("its answer is not that of a vault", hint="look at the address of the vault")


def _refused(status: int, text: bytes, operation: str, key: str) -> key_service.KeyRefused:
    try:
        said = "; ".join(map(str, json.loads(text)["errors"]))
    except (ValueError, KeyError, TypeError):
        said = text[:200].decode("utf-8", "replace")
    reason, hint = _reason(status, said.lower(), operation, key)
    return key_service.KeyRefused(reason, details=" ".join(said.split()), hint=hint)


def _reason(status: int, said: str, operation: str, key: str) -> tuple[str, str]:
    mount, _, name = key.rpartition("/")
    if status == 503 and "sealed" in said:
        return "the vault is sealed", "have it unsealed: vault operator unseal"
    if status == 403:
        return (
            "the token may not use the key, or has expired",
            f"get a token whose policy allows update on {mount}/encrypt/{name} and {mount}/decrypt/{name}",
        )
    if status == 404 or "key not found" in said:
        return (
            "the key does not exist",
            "look at its name, the mount and the namespace; a deleted key cannot be brought back",
        )
    if "too old" in said:
        return "the version of the key is no longer allowed", f"lower min_decryption_version of {name}"
    if status == 400 and operation == "decrypt":
        return "the key did not wrap this slot", "the slot was changed, or the key was made anew: remove the slot"
    if status == 400:
        return "the key cannot be used", "use one of type aes256-gcm96 or chacha20-poly1305 that is not derived"
    return f"the vault answers with status {status}", "see what it says, and try again"
