"""Profiles and URLs of object stores, and where their credentials come from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.base import clock as clocks
from runner.base import errors
from runner.locations import credentials, object_clients, urls

KEYS = "aws_access_key_id = KEY\naws_secret_access_key = SECRET\n"


def s3(file: Path, **others: str) -> dict[str, str]:
    return {"type": "s3", "bucket": "backups", "credentialsFile": str(file), **others}


@pytest.mark.parametrize(
    ("url", "expected"),
    [("s3://backups", "s3://backups"), ("s3://backups/a/b/", "s3://backups/a/b"), ("S3://backups/", "s3://backups")],
)
def test_url_of_s3_needs_nothing_else(url: str, expected: str) -> None:
    assert urls.open_url(url).url == expected


def test_url_of_azure_takes_its_account_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert urls.open_url("az://container/prefix").url == "az://container/prefix"


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///prefix", "s3://backups/a b", "s3://user:word@backups/a", "s3://b/../c"]
)
def test_url_that_names_no_place_is_refused(url: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        urls.open_url(url)
    assert caught.value.code == "RT403"


def test_what_the_client_does_not_accept_is_a_mistake_of_the_profile() -> None:
    with pytest.raises(errors.UsageError) as caught:
        object_clients.open_spec({"type": "azure", "container": "c"}, environment={})
    assert caught.value.code == "RT403"


def test_unreadable_certificate_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEYS)
    with pytest.raises(errors.UsageError, match=r"ca\.pem"):
        object_clients.open_spec(s3(tmp_path / "keys", caFile=str(tmp_path / "ca.pem")))


@pytest.mark.parametrize(
    "text", [KEYS, f"[default]\n{KEYS}", f"# comment\n[other]\naws_access_key_id = no\n[default]\n{KEYS}"]
)
def test_keys_are_read_from_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    fetch = credentials.aws(s3(tmp_path / "keys"), clocks.FakeClock())
    assert fetch is not None
    assert (fetch()["access_key_id"], fetch()["secret_access_key"]) == ("KEY", "SECRET")


def test_keys_are_read_from_a_section(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"[default]\naws_access_key_id = no\n[backups]\n{KEYS}")
    fetch = credentials.aws(s3(tmp_path / "keys", credentialsProfile="backups"), clocks.FakeClock())
    assert fetch is not None
    assert fetch()["access_key_id"] == "KEY"


def test_keys_are_read_from_a_mounted_secret(tmp_path: Path) -> None:
    (tmp_path / "aws_access_key_id").write_text("KEY\n")
    (tmp_path / "aws_secret_access_key").write_text("SECRET")
    fetch = credentials.aws(s3(tmp_path), clocks.FakeClock())
    assert fetch is not None
    assert fetch()["secret_access_key"] == "SECRET"


def test_keys_that_were_rotated_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(KEYS)
    clock = clocks.FakeClock()
    fetch = credentials.aws(s3(tmp_path / "keys"), clock)
    assert fetch is not None
    assert fetch()["expires_at"] > clock.now()
    (tmp_path / "keys").write_text(KEYS.replace("SECRET", "NEWER"))
    assert fetch()["secret_access_key"] == "NEWER"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("aws_access_key_id = KEY\n", "it lacks aws_secret_access_key"),
        ("", "it has no section"),
        ("this is no file of keys\n", "no `key = value`"),
    ],
)
def test_what_a_file_lacks_is_named_without_its_content(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        object_clients.open_spec(s3(tmp_path / "keys"))
    assert caught.value.code == "RT311"
    assert says in caught.value.message


def test_unknown_section_suggests_the_closest(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"[backups]\n{KEYS}")
    with pytest.raises(errors.EnvironmentProblem) as caught:
        object_clients.open_spec(s3(tmp_path / "keys", credentialsProfile="backup"))
    assert caught.value.hint == 'did you mean "backups"?'


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.EnvironmentProblem, match="No such file"):
        object_clients.open_spec(s3(tmp_path / "none"))


def test_azure_needs_the_account_once(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("azure_storage_key = a2V5\nazure_storage_environment = AzureChinaCloud\n")
    spec = {"type": "azure", "container": "backups", "credentialsFile": str(tmp_path / "keys")}
    with pytest.raises(errors.EnvironmentProblem, match="azure_storage_account_id"):
        object_clients.open_spec(spec)
    assert object_clients.open_spec({**spec, "account": "backupaccount"}).url == "az://backups"


def test_unknown_cloud_suggests_the_closest(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("azure_storage_key = a2V5\nazure_storage_environment = AzureChina\n")
    spec = {"type": "azure", "container": "backups", "account": "a", "credentialsFile": str(tmp_path / "keys")}
    with pytest.raises(errors.UsageError) as caught:
        object_clients.open_spec(spec)
    assert caught.value.hint == 'did you mean "AzureChinaCloud"?'


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"type": "service_account", "client_email": "a@b"})])
def test_google_needs_the_whole_service_account(tmp_path: Path, text: str) -> None:
    (tmp_path / "account.json").write_text(text)
    spec = {"type": "gcs", "bucket": "backups", "credentialsFile": str(tmp_path / "account.json")}
    with pytest.raises(errors.EnvironmentProblem, match="private_key"):
        object_clients.open_spec(spec)


def test_web_identity_opens_without_other_credentials(tmp_path: Path) -> None:
    spec = {"type": "s3", "bucket": "backups", "tokenFile": str(tmp_path / "token"), "role": "arn:aws:iam::1:role/r"}
    assert object_clients.open_spec(spec).url == "s3://backups"
