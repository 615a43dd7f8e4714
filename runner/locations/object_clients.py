"""Open an object store by the `spec` of a location profile or by its URL; nothing is contacted yet."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.base import clock as clocks
from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.locations import credentials, names, object_store, retention

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Store

SCHEMES = {"s3": "s3", "az": "azure", "gs": "gcs"}

# An answer is waited for, and asking is repeated, only so long; beyond that the `retry` of a phase decides.
_CONNECT = timedelta(seconds=10)
_REQUEST = timedelta(minutes=3)
_RETRIES = 4
_RETRYING = timedelta(minutes=1)
_BACKOFF = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2}

_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]*")
_AZURE_HOSTS = {
    "AzureCloud": ("blob.core.windows.net", "https://login.microsoftonline.com"),
    "AzureChinaCloud": ("blob.core.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
    "AzureUSGovernment": ("blob.core.usgovcloudapi.net", "https://login.microsoftonline.us"),
}


def spec_of_url(url: str) -> JsonObject:
    """Return the `spec` that a URL such as `s3://bucket/prefix` stands for.

    Raises:
        UsageError: RT403 if it names no bucket, or a prefix that cannot be one.
    """
    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    kind = SCHEMES[scheme.lower()]
    return {"type": kind, "container" if kind == "azure" else "bucket": bucket, "prefix": prefix.rstrip("/")}


def open_spec(
    spec: JsonObject,
    *,
    environment: Mapping[str, str] | None = None,
    clock: clocks.Clock | None = None,
    patience: Mapping[str, Any] | None = None,
) -> object_store.ObjectStore | retention.Retained:
    """Open the object store that the `spec` of a profile describes.

    Args:
        spec: With `type` `s3`, `azure` or `gcs`.
        environment: Variables of the process, which the client reads too.
        clock: Says when to read credentials again.
        patience: Settings of the client's retries that replace the usual ones.

    Raises:
        UsageError: RT403 if it cannot be opened like this.
        EnvironmentProblem: RT311 if its credentials cannot be read.
    """
    kind = str(spec["type"])
    variables = os.environ if environment is None else environment
    place = str(spec.get("container" if kind == "azure" else "bucket") or "")
    prefix = _prefix(str(spec.get("prefix") or ""))
    scheme = next(scheme for scheme, name in SCHEMES.items() if name == kind)
    url = f"{scheme}://{place}" + (f"/{prefix.rstrip('/')}" if prefix else "")
    if not _BUCKET.fullmatch(place):
        raise errors.UsageError(
            f'"{url}" does not name a bucket or container', code="RT403", hint=f"write {scheme}://NAME/PREFIX"
        )
    clock = clock or clocks.SystemClock()
    endpoint = _endpoint(kind, spec, variables)
    options: dict[str, Any] = {
        "client_options": _transport(spec, endpoint),
        "retry_config": {
            "max_retries": _RETRIES, "retry_timeout": _RETRYING, "backoff": _BACKOFF, **(patience or {})
        },
    }  # fmt: skip
    try:
        store = _MAKERS[kind](spec, place, endpoint, options, clock)
    except errors.RunnerError:
        raise
    except Exception as problem:
        raise errors.UsageError(
            f"{url} cannot be opened",
            code="RT403",
            details=str(problem).splitlines()[0] if str(problem) else type(problem).__name__,
            hint="check the location profile and the variables of the provider; see docs/locations.md",
        ) from problem
    # Whether something else that speaks the language of S3 honours them cannot be known.
    is_conditional = kind != "s3" or not endpoint
    opened = object_store.ObjectStore(store, url, prefix=prefix, is_conditional=is_conditional)
    return retention.wrap(opened, spec, endpoint=endpoint, prefix=prefix, clock=clock)


def _prefix(text: str) -> str:
    text = text.strip("/")
    if not text:
        return ""
    if not all(map(names.is_part, text.split("/"))):
        raise errors.UsageError(
            f'"{text}" cannot be the prefix of a location',
            code="RT403",
            hint="use parts of letters, digits, ., _ and -, joined by /",
        )
    return text + "/"


def _endpoint(kind: str, spec: JsonObject, variables: Mapping[str, str]) -> str:
    """Return the address of a server that is not the provider's own, from the profile or the environment."""
    named = {
        "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "azure": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        "gcs": ("GOOGLE_BASE_URL",),
    }[kind]
    found = [str(spec.get("endpoint") or ""), *(variables.get(name, "") for name in named)]
    return next(filter(None, found), "").rstrip("/")


def _transport(spec: JsonObject, endpoint: str) -> dict[str, Any]:
    options: dict[str, Any] = {"connect_timeout": _CONNECT, "timeout": _REQUEST, "user_agent": "blueprint-runner"}
    # Plain HTTP is used only where somebody has written it.
    options["allow_http"] = endpoint.lower().startswith("http://")
    if spec.get("proxy"):
        options["proxy_url"] = str(spec["proxy"])
    if spec.get("caFile"):
        path = Path(str(spec["caFile"]))
        try:
            options["root_certificate"] = path.read_bytes()
        except OSError as problem:
            raise errors.UsageError(
                f"the file of the certificate authority {path} cannot be read",
                code="RT403",
                details=problem.strerror or "",
                hint="correct caFile in the location profile",
            ) from problem
    return options


def _s3(spec: JsonObject, bucket: str, endpoint: str, options: dict[str, Any], clock: clocks.Clock) -> Store:
    from obstore import store

    path_style = bool(spec.get("pathStyle", bool(endpoint) or "." in bucket))
    config: dict[str, Any] = {"virtual_hosted_style_request": not path_style, "disable_bulk_delete": True}
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        config["endpoint"] = endpoint if path_style else f"{scheme}://{bucket}.{host}"
    if spec.get("region"):
        config["region"] = str(spec["region"])
    if spec.get("tokenFile"):
        config |= {"web_identity_token_file": str(spec["tokenFile"]), "role_arn": str(spec["role"])}
        config["role_session_name"] = "blueprint-runner"
        if spec.get("stsEndpoint"):
            config["endpoint_url_sts"] = str(spec["stsEndpoint"])
    provider = credentials.aws(spec, clock)
    if provider is not None:
        options = {**options, "credential_provider": provider}
    return store.S3Store(bucket, config=config, **options)  # type: ignore[arg-type]


def _azure(spec: JsonObject, container: str, endpoint: str, options: dict[str, Any], clock: clocks.Clock) -> Store:
    from obstore import store

    config: dict[str, Any] = {}
    keys = credentials.azure(spec)
    account = str(spec.get("account") or keys.get("azure_storage_account_id") or "")
    if account:
        config["account_name"] = account
    if "azure_storage_key" in keys:
        config |= {"account_key": keys["azure_storage_key"], "credential_type": "access_key"}
    cloud = str(spec.get("cloud") or keys.get("azure_storage_environment") or "")
    if cloud:
        host, authority = _AZURE_HOSTS[credentials.known(cloud, _AZURE_HOSTS, "cloud")]
        config["authority_host"] = authority
        endpoint = endpoint or f"https://{account}.{host}"
    if endpoint:
        config["endpoint"] = endpoint
    for key, name in (("tenantId", "tenant_id"), ("clientId", "client_id"), ("tokenFile", "federated_token_file")):
        if spec.get(key):
            config[name] = str(spec[key])
    if spec.get("tokenFile"):
        config["credential_type"] = "workload_identity"
    return store.AzureStore(container, config=config, **options)  # type: ignore[arg-type]


def _gcs(spec: JsonObject, bucket: str, endpoint: str, options: dict[str, Any], clock: clocks.Clock) -> Store:
    from obstore import store

    config: dict[str, Any] = {}
    if spec.get("credentialsFile"):
        config["service_account_key"] = credentials.google(spec)
    if endpoint:
        config["base_url"] = endpoint
    return store.GCSStore(bucket, config=config, **options)  # type: ignore[arg-type]


_MAKERS: Mapping[str, Callable[[JsonObject, str, str, dict[str, Any], clocks.Clock], Store]] = {
    "s3": _s3,
    "azure": _azure,
    "gcs": _gcs,
}
