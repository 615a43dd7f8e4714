"""Example 03 against a real MariaDB server, which the test starts."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import killing

pytestmark = pytest.mark.server("mariadb")

INSTALL = "apt-get install -y --no-install-recommends mariadb-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server and the way in."""

    port: int
    password_file: Path

    def query(self, database: str, sql: str) -> str:
        """Return what a query prints."""
        command = [
            "mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={self.port}", "--user=shop", "--batch",
            "--skip-column-names", f"--execute={sql}", database,
        ]  # fmt: skip
        environment = {**os.environ, "MYSQL_PWD": self.password_file.read_text()}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def server(examples: Path, tmp_path: Path, serve: Callable[[Path, Path, int], None]) -> Server:
    if shutil.which("mariadbd", path=os.environ.get("PATH", "") + ":/usr/sbin") is None:
        pytest.skip(f"MariaDB is missing: {INSTALL}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    serve(examples / "03-mariadb" / "server.py", tmp_path / "server", port)
    return Server(port=port, password_file=tmp_path / "server" / "password")


@pytest.fixture
def arguments(examples: Path, server: Server) -> list[str]:
    blueprint = examples / "03-mariadb" / "blueprint.yaml"
    return [str(blueprint), "--set", f"port={server.port}", "--set-file", f"password={server.password_file}"]


ROWS = """
SELECT count(*), sum(crc32(concat_ws('/', p.id, p.customer, p.total_cents, i.line, i.article, i.cents)))
FROM purchase AS p JOIN item AS i ON i.purchase = p.id WHERE p.id <= {last}
"""


def test_dump_of_a_live_database_is_restored_row_by_row(runner: Any, server: Server, arguments: list[str]) -> None:
    runner.exec(*arguments, "--set", "seconds=2")

    restore = runner.exec(*arguments, "--action", "restore")

    last = int(server.query("shop_restored", "SELECT max(id) FROM purchase"))
    assert last < int(server.query("shop", "SELECT max(id) FROM purchase")), "the dump did not run beside the sales"
    rows = ROWS.format(last=last)
    assert server.query("shop_restored", rows) == server.query("shop", rows)
    assert restore.outputs("check")["purchases"] == last


def test_dump_of_unchanged_data_stores_next_to_nothing(runner: Any, server: Server, arguments: list[str]) -> None:
    (first,) = runner.exec(*arguments, "--set", "seconds=0").run["restorePoints"]

    (second,) = runner.exec(*arguments, "--set", "seconds=0").run["restorePoints"]

    assert second["bytesStored"] < first["bytesStored"] // 20


def test_restore_leaves_an_existing_database_alone(runner: Any, server: Server, arguments: list[str]) -> None:
    runner.exec(*arguments, "--set", "seconds=0")
    onto = ("--action", "restore", "--set", "target=shop")
    server.query("shop", "INSERT INTO purchase VALUES (0, 'late', 0)")

    refused = runner.exec(*arguments, *onto, code=1)
    assert refused.run["error"]["code"] == "RT208"
    assert server.query("shop", "SELECT customer FROM purchase WHERE id = 0") == "late"

    runner.exec(*arguments, *onto, "--set", "replace=true")
    assert server.query("shop", "SELECT customer FROM purchase WHERE id = 0") == ""


def test_dump_that_breaks_off_leaves_no_restore_point(runner: Any, server: Server, arguments: list[str]) -> None:
    failed = runner.exec(*arguments, "--set", "database=no_such_shop", "--set", "seconds=0", code=1)

    assert failed.run["restorePoints"] == []
    assert "no_such_shop" in failed.err + failed.out


def test_password_is_found_nowhere(runner: Any, server: Server, arguments: list[str]) -> None:
    done = runner.exec(*arguments, "--set", "seconds=0")

    password = server.password_file.read_text().encode()
    held = [path for path in runner.state.rglob("*") if path.is_file() and password in path.read_bytes()]
    assert held == []
    assert password.decode() not in done.out + done.err


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6))
def test_killed_runs_end_as_if_nothing_had_happened(
    server: Server,
    arguments: list[str],
    examples: Path,
    tmp_path: Path,
    seed: int,
    record_property: killing.Record,
) -> None:
    def compare(restore: dict[str, Any]) -> None:
        rows = ROWS.format(last=int(server.query("shop_restored", "SELECT max(id) FROM purchase")))
        assert server.query("shop_restored", rows) == server.query("shop", rows)

    bed = killing.Bed(state=tmp_path / "state", cwd=tmp_path, environment={"PYTHONPATH": str(examples.parent)})
    example = killing.Example(
        backup=(*arguments, "--set", "seconds=0.3"), restore=tuple(arguments), records=(10, 14), compare=compare
    )
    killing.survive(bed, example, random.Random(f"mariadb {seed}"), record_property)
