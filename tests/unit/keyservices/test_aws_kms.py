"""Keys wrapped by AWS KMS: on moto, an emulator; answers that it does not give are played as Amazon describes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.base import errors
from runner.keyservices import aws_kms
from runner.registry import key_service

pytestmark = pytest.mark.server("moto")
CONTEXT = {"application": "blueprint-runner", "repository": "00" * 16}
ARN = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-1111-2222-3333-444455556666"
_VARIABLES = (
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.fixture
def kms() -> Iterator[Any]:
    moto = pytest.importorskip("moto", reason="moto is missing: pip install -e '.[server]'")
    boto3 = pytest.importorskip("boto3", reason="boto3 is missing: pip install -e '.[server]'")
    with moto.mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


@pytest.fixture
def key(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["Arn"])


def refusal(service: aws_kms.AwsKms, wrapped: key_service.WrappedKey) -> key_service.KeyRefused:
    with pytest.raises(key_service.KeyRefused) as caught:
        service.unwrap(wrapped, CONTEXT)
    assert caught.value.hint
    return caught.value


def test_wrapped_key_is_given_back(key: str) -> None:
    service = aws_kms.AwsKms({})
    plain, wrapped = service.wrap(key, CONTEXT)
    assert len(plain) == 32
    assert plain not in wrapped.blob
    assert service.unwrap(wrapped, CONTEXT) == plain


def test_slot_names_the_key_and_not_the_alias(kms: Any, key: str) -> None:
    kms.create_alias(AliasName="alias/backups", TargetKeyId=key)
    _, wrapped = aws_kms.AwsKms({}).wrap(key.partition(":key/")[0] + ":alias/backups", CONTEXT)
    assert wrapped.key == key


def test_key_of_another_repository_is_refused(key: str) -> None:
    service = aws_kms.AwsKms({})
    _, wrapped = service.wrap(key, CONTEXT)
    with pytest.raises(key_service.KeyRefused, match="did not wrap"):
        service.unwrap(wrapped, {**CONTEXT, "repository": "11" * 16})


def test_key_that_is_not_there_is_named(kms: Any) -> None:
    assert "does not exist" in refusal(aws_kms.AwsKms({}), key_service.WrappedKey(key=ARN, blob=b"0" * 64)).message


@pytest.mark.parametrize(
    "key", ["alias/backups", "0a1b2c3d", "arn:aws:kms:evil.example/:1:key/x", "arn:aws:s3:::bucket"]
)
def test_what_is_no_arn_becomes_no_request(key: str) -> None:
    with pytest.raises(errors.UsageError, match="not the ARN"):
        aws_kms.AwsKms({}).wrap(key, CONTEXT)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("DisabledException", "arn… is disabled.", "the key is disabled"),
        ("KMSInvalidStateException", "arn… is pending deletion.", "the key is pending deletion"),
        ("KMSInvalidStateException", "arn… is pending import.", "the key cannot be used as it is"),
        ("AccessDeniedException", "User: … is not authorized to perform: kms:Decrypt", "may not use the key"),
        ("NotFoundException", "Key 'arn…' does not exist", "the key does not exist"),
        ("KeyUnavailableException", "", "not available now"),
        ("InvalidCiphertextException", "", "did not wrap this slot"),
        ("IncorrectKeyException", "", "another key wrapped"),
        ("ExpiredTokenException", "The security token included in the request is expired", "have expired"),
        ("UnrecognizedClientException", "The security token included in the request is invalid.", "not valid"),
        ("SomethingNewException", "later", "SomethingNewException"),
    ],
)
def test_every_answer_says_what_to_do(code: str, text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = pytest.importorskip("botocore.exceptions", reason="boto3 is missing: pip install -e '.[server]'")

    class Played:
        def decrypt(self, **_: object) -> None:
            raise exceptions.ClientError({"Error": {"Code": code, "Message": text}}, "Decrypt")

    service = aws_kms.AwsKms({})
    monkeypatch.setattr(service, "_client", lambda region: Played())
    said = refusal(service, key_service.WrappedKey(key=ARN, blob=b"blob"))
    assert expected in said.message
    assert said.details == text
    assert "{" not in said.hint


def test_missing_credentials_and_a_server_that_is_away_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("boto3", reason="boto3 is missing: pip install -e '.[server]'")
    wrapped = key_service.WrappedKey(key=ARN, blob=b"blob")
    away = aws_kms.AwsKms({"endpoint": "http://127.0.0.1:9"})
    assert "does not answer" in refusal(away, wrapped).message
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no AWS credentials" in refusal(away, wrapped).message
    nobody = aws_kms.AwsKms({"credentialsProfile": "nobody"})
    assert "cannot be asked" in refusal(nobody, wrapped).message


def test_credentials_of_the_profile_go_before_the_environment(tmp_path: Path) -> None:
    pytest.importorskip("boto3", reason="boto3 is missing: pip install -e '.[server]'")
    file = tmp_path / "kms.credentials"
    file.write_text("[default]\naws_access_key_id = FILE\naws_secret_access_key = x\n")
    client = aws_kms.AwsKms({"credentialsFile": str(file)})._client("eu-central-1")
    assert client._request_signer._credentials.access_key == "FILE"
    assert client.meta.region_name == "eu-central-1"
