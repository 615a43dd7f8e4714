"""AWS Key Management Service: a data key is made by `GenerateDataKey` and read again by `Decrypt`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.base import errors
from runner.base.jsonvalue import JsonObject
from runner.registry import key_service

# Key, alias, or multi-region key, in any partition; the region becomes part of a host name.
_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(?:key|alias)/[A-Za-z0-9/_-]+")

# What a person reads about an answer of the service, and what to do then. A key is named by what was given for it.
_ANSWERS: Mapping[str, tuple[str, str]] = {
    "DisabledException": ("the key is disabled", "enable it: aws kms enable-key --key-id {key}"),
    "KMSInvalidStateException": (
        "the key cannot be used as it is",
        "look at it: aws kms describe-key --key-id {key}",
    ),
    "AccessDeniedException": (
        "these credentials may not use the key",
        "allow them kms:Decrypt and kms:GenerateDataKey on {key}",
    ),
    "NotFoundException": (
        "the key does not exist",
        "look whether the account and the region are right; a key that was deleted cannot be brought back",
    ),
    "KeyUnavailableException": ("the key is not available now", "try again later"),
    "InvalidCiphertextException": (
        "the key did not wrap this slot",
        "the slot was changed, or belongs to another repository: remove it",
    ),
    "IncorrectKeyException": ("another key wrapped this slot", "the slot was changed: remove it"),
    "ExpiredTokenException": ("the credentials have expired", "get new ones"),
    "UnrecognizedClientException": ("the credentials are not valid", "correct them"),
    "InvalidSignatureException": ("the credentials are not valid", "correct them"),
}
_PENDING = (
    "the key is pending deletion",
    "cancel that before its date: aws kms cancel-key-deletion --key-id {key}, then aws kms enable-key --key-id {key}",
)


class AwsKms:
    """Wraps keys with a key of AWS KMS.

    Args:
        settings: `kms` of a location profile.
    """

    kind = "aws-kms"

    def __init__(self, settings: JsonObject) -> None:
        self._settings = settings

    def wrap(self, key: str, context: Mapping[str, str]) -> tuple[bytes, key_service.WrappedKey]:
        """Ask for a data key; the slot keeps the ARN of the key itself, whatever alias it was asked for by."""
        answer = self._call(key, "generate_data_key", KeyId=key, KeySpec="AES_256", EncryptionContext=dict(context))
        found = key_service.WrappedKey(key=answer["KeyId"], blob=answer["CiphertextBlob"])
        return answer["Plaintext"], found

    def unwrap(self, wrapped: key_service.WrappedKey, context: Mapping[str, str]) -> bytes:
        """Have the data key decrypted, by no other key than the one that the slot names."""
        plain: bytes = self._call(
            wrapped.key, "decrypt", KeyId=wrapped.key, CiphertextBlob=wrapped.blob, EncryptionContext=dict(context)
        )["Plaintext"]
        return plain

    def _call(self, key: str, operation: str, **arguments: Any) -> Any:
        region = _region_of(key)
        try:
            from botocore import exceptions
        except ImportError as problem:
            raise key_service.KeyRefused(
                "not tried: boto3 is not installed", hint="pip install 'blueprint-runner[aws]'"
            ) from problem
        try:
            return getattr(self._client(region), operation)(**arguments)
        except exceptions.ClientError as problem:
            raise _refused(problem, key) from problem
        except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as problem:
            raise key_service.KeyRefused(
                "not tried: there are no AWS credentials here",
                hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            ) from problem
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as problem:
            raise key_service.KeyRefused(
                "AWS KMS does not answer", details=str(problem), hint="look at the network and the proxy, and try again"
            ) from problem
        except exceptions.BotoCoreError as problem:
            raise key_service.KeyRefused(
                "AWS KMS cannot be asked", details=str(problem), hint="correct the settings of the AWS client"
            ) from problem

    def _client(self, region: str) -> Any:
        import boto3
        from botocore import config, session

        file, profile = (_text(self._settings, name) for name in ("credentialsFile", "credentialsProfile"))
        # A profile that is named goes before the environment.
        found = session.Session(profile=profile or ("default" if file else None))
        if file:
            found.set_config_variable("credentials_file", file)
        return boto3.Session(botocore_session=found).client(
            "kms",
            region_name=region,
            endpoint_url=_text(self._settings, "endpoint"),
            verify=_text(self._settings, "caFile"),
            config=config.Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 3, "mode": "standard"}),
        )


def _text(settings: JsonObject, name: str) -> str | None:
    value = settings.get(name)
    return str(value) if value else None


def _region_of(key: str) -> str:
    match = _ARN.fullmatch(key)
    if match is None:
        raise errors.UsageError(
            f'"{key}" is not the ARN of a key or an alias of AWS KMS',
            hint="write arn:aws:kms:REGION:ACCOUNT:key/ID",
        )
    return match[1]


def _refused(problem: Any, key: str) -> key_service.KeyRefused:
    error = problem.response.get("Error", {})
    code, said = str(error.get("Code", "")), str(error.get("Message", ""))
    # The service tells the state of a key in the text of its answer only.
    is_pending = "pendingdeletion" in said.lower().replace(" ", "")
    reason, hint = _PENDING if is_pending else _ANSWERS.get(code, (f"AWS KMS refuses: {code}", "see what it says"))
    return key_service.KeyRefused(reason, details=said, hint=hint.format(key=key))
