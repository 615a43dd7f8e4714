"""How an object store is reached: own certificates, a proxy, a role that is taken with a token."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from runner.base import errors
from runner.locations import object_clients
from tests.servers import xml_store


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for the loopback that nobody knows, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "store of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def test_server_with_a_certificate_of_its_own_is_trusted_when_the_profile_says_so(
    certificate: Path, tmp_path: Path
) -> None:
    with xml_store.started(certificate=certificate) as store:
        place = object_clients.open_spec(store.s3(tmp_path, caFile=str(tmp_path / "ca.pem")))
        place.put("a", [b"1"])
        assert place.get("a") == b"1"


def test_unknown_certificate_is_refused_with_the_setting_to_use(certificate: Path, tmp_path: Path) -> None:
    with xml_store.started(certificate=certificate) as store:
        place = object_clients.open_spec(store.s3(tmp_path), patience={"max_retries": 0})
        with pytest.raises(errors.EnvironmentProblem) as caught:
            place.get("a")
    assert caught.value.code == "RT403"
    assert "caFile" in caught.value.hint


def test_proxy_of_the_profile_is_used(tmp_path: Path) -> None:
    with xml_store.started() as store:
        place = object_clients.open_spec(store.s3(tmp_path, endpoint="http://store.invalid", proxy=store.endpoint))
        place.put("a", [b"1"])
        assert store.objects == {"a": b"1"}


def test_role_is_taken_with_a_web_identity(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text("token-of-a-pod")
    role = "arn:aws:iam::123456789012:role/backups"
    identity = {"tokenFile": str(tmp_path / "token"), "role": role, "caFile": str(tmp_path / "ca.pem")}
    with xml_store.started(certificate=certificate) as store:
        spec = store.s3(tmp_path, **identity, stsEndpoint=store.endpoint)
        place = object_clients.open_spec({key: value for key, value in spec.items() if key != "credentialsFile"})
        place.put("a", [b"1"])
        assert store.requests[0] == f"AssumeRoleWithWebIdentity {role} token-of-a-pod"
        assert store.users == {"OF-A-ROLE"}


def test_keys_of_a_file_win_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "other")
    with xml_store.started() as store:
        object_clients.open_spec(store.s3(tmp_path)).put("a", [b"1"])
        assert store.users == {"KEY"}
