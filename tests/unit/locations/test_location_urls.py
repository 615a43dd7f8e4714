from __future__ import annotations

from pathlib import Path

import pytest

from runner.base import errors
from runner.locations import memory, urls


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///data/store", "/data/store"),
        ("FILE:///data/store", "/data/store"),
        ("file://localhost/data", "/data"),
        ("file:///with%20space/%C3%A4", "/with space/ä"),
        ("file:///with#hash", "/with#hash"),
        ("/plain/path", "/plain/path"),
        ("/plain/100%25", "/plain/100%25"),
    ],
)
def test_directory_is_opened_by_url_or_path(url: str, place: str, tmp_path: Path) -> None:
    opened = urls.open_url(url)
    assert urls.open_url(opened.url).url == opened.url
    assert opened.url == urls.open_url(place).url


def test_url_leads_back_to_the_same_place(tmp_path: Path) -> None:
    path = tmp_path / "odd % name # ? ä"
    urls.open_url(str(path)).put("a", [b"1"])
    assert urls.open_url(urls.open_url(str(path)).url).get("a") == b"1"


def test_memory_is_opened_by_name() -> None:
    assert urls.open_url("memory://url-test") is memory.named("url-test")


def test_opening_makes_nothing(tmp_path: Path) -> None:
    urls.open_url(str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "url",
    ["", "file://", "file://host/path", "file:///a?query", "memory://", "s4://bucket", "fil:///x", "file:///a%00b"],
)
def test_what_names_no_location_is_refused(url: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        urls.open_url(url)
    assert caught.value.code == "RT403"


def test_misspelt_type_is_hinted_at() -> None:
    with pytest.raises(errors.UsageError) as caught:
        urls.open_url("memry://x")
    assert caught.value.hint == 'did you mean "memory"?'
