"""A private MariaDB server with a small shop, so that the example harms nobody's data.

    server.py start [--directory DIR] [--port PORT]     make it on the first call, then start it
    server.py stop [--directory DIR]

It listens on the loopback address only. The password of its user `shop` is drawn at random and kept in DIR/password.
"""

import argparse
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PATIENCE_S = 60
# Through the socket in the data directory, which only its owner reaches; an empty password, whatever MYSQL_PWD says.
AS_ROOT = ("--no-defaults", "--user=root", "--password=", "--socket=./server.sock")


def program(name: str) -> str:
    """Find a program of the server."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit(f"{name} is missing; install MariaDB: apt-get install mariadb-server")
    return found


def account() -> str:
    """Return the user that the server runs as: its own account when root starts it."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def environment(directory: Path) -> dict[str, str]:
    """Give the server a directory for temporary files of its own: at its start it removes those of other servers."""
    return {**os.environ, "TMPDIR": str(directory / "tmp")}


def make(directory: Path) -> None:
    """Make the data directory and the password."""
    (directory / "tmp").mkdir(parents=True, exist_ok=True)
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(18))
    with (directory / "log").open("w") as log:
        subprocess.run(
            [
                program("mariadb-install-db"), "--no-defaults", f"--datadir={directory / 'data'}",
                "--auth-root-authentication-method=normal", "--skip-test-db", f"--user={account()}",
            ],
            stdout=log, stderr=log, env=environment(directory), check=True,
        )  # fmt: skip


def start(directory: Path, port: int) -> None:
    """Start the server; on the first call make it, with the shop in it."""
    fresh = not (directory / "data" / "mysql").exists()
    if fresh:
        make(directory)
    with (directory / "log").open("a") as log:
        server = subprocess.Popen(
            [
                program("mariadbd"), "--no-defaults", f"--user={account()}", f"--datadir={directory / 'data'}",
                "--socket=server.sock", f"--port={port}", "--bind-address=127.0.0.1",
                f"--pid-file={directory / 'pid'}",
            ],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment(directory), start_new_session=True,
        )  # fmt: skip
    wait_until_it_answers(directory, server)
    if fresh:
        password = (directory / "password").read_text()
        run_as_root(directory, f"CREATE USER shop@'%' IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO shop@'%';")
        run_as_root(directory, (HERE / "shop.sql").read_text())
    print(f"listening on 127.0.0.1:{port}, password in {directory / 'password'}")


def run_as_root(directory: Path, script: str) -> None:
    """Run SQL as the server's superuser."""
    done = subprocess.run(
        [program("mariadb"), *AS_ROOT],
        cwd=directory / "data", input=script, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit("the server refused the script")


def wait_until_it_answers(directory: Path, server: subprocess.Popen[bytes]) -> None:
    """Return as soon as the server takes commands; stop with its log when it gives up."""
    ping = [program("mariadb-admin"), *AS_ROOT, "ping"]
    end = time.monotonic() + PATIENCE_S
    while subprocess.run(ping, cwd=directory / "data", capture_output=True, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the server does not start, see {directory / 'log'}")
        time.sleep(0.1)


def stop(directory: Path) -> None:
    """Stop the server; its data stays."""
    down = [program("mariadb-admin"), *AS_ROOT, "shutdown"]
    subprocess.run(down, cwd=directory / "data", check=True)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["start", "stop"])
    parser.add_argument("--directory", type=Path, default=HERE / "server")
    parser.add_argument("--port", type=int, default=33070)
    arguments = parser.parse_args()
    if arguments.what == "start":
        start(arguments.directory.resolve(), arguments.port)
    else:
        stop(arguments.directory.resolve())


if __name__ == "__main__":
    main()
