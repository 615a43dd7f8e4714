"""A private PostgreSQL server with a small shop, so that the example harms nobody's data.

    server.py start [--directory DIR] [--port PORT]     make it on the first call, then start it
    server.py stop [--directory DIR]

It listens on the loopback address only. The password of its superuser is drawn at random and kept in DIR/password.
"""

import argparse
import os
import secrets
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVICE_USERS = ("postgres", "nobody")


def program(name: str) -> str:
    """Find a program of the server: on PATH, or where Debian keeps it."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which(name, path=os.pathsep.join([*map(str, reversed(versions)), os.environ.get("PATH", "")]))
    if found is None:
        raise SystemExit(f"{name} is missing; install PostgreSQL: apt-get install postgresql-15")
    return found


def as_server(*command: str, password: str = "") -> None:
    """Run a command as the user that the server runs as: it refuses to run as root."""
    user = next((name for name in SERVICE_USERS if os.getuid() == 0 and known(name)), None)
    environment = {**os.environ, "PGPASSWORD": password}
    # The server outlives this program, so it must not keep hold of our output.
    done = subprocess.run(command, user=user, cwd="/", env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{Path(command[0]).name} failed with exit code {done.returncode}")


def known(user: str) -> bool:
    """Tell whether the machine has a user of that name."""
    return subprocess.run(["id", user], capture_output=True, check=False).returncode == 0


def make(directory: Path, port: int) -> str:
    """Make the cluster and return the password of its superuser."""
    directory.mkdir(parents=True, exist_ok=True)
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_urlsafe(18))
    if os.getuid() == 0:
        owner = next(name for name in SERVICE_USERS if known(name))
        shutil.chown(directory, owner)
        shutil.chown(secret, owner)
    cluster = str(directory / "cluster")
    as_server(
        program("initdb"), "--pgdata", cluster, "--username=postgres", "--auth=scram-sha-256", "--no-sync",
        "--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={secret}",
    )  # fmt: skip
    with (directory / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write(f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n")
    return secret.read_text()


def start(directory: Path, port: int) -> None:
    """Start the server; on the first call make it, with the shop in it."""
    fresh = not (directory / "cluster" / "PG_VERSION").exists()
    password = make(directory, port) if fresh else (directory / "password").read_text()
    as_server(
        program("pg_ctl"), "--pgdata", str(directory / "cluster"), "--log", str(directory / "log"), "--wait", "start"
    )  # fmt: skip
    if fresh:
        server = f"postgresql://postgres@127.0.0.1:{port}"
        as_server(program("createdb"), f"--maintenance-db={server}/postgres", "shop", password=password)
        script = (HERE / "shop.sql").read_text()
        as_server(
            program("psql"), f"--dbname={server}/shop", "--quiet", "--set=ON_ERROR_STOP=1", f"--command={script}",
            password=password,
        )  # fmt: skip
    print(f"listening on 127.0.0.1:{port}, password in {directory / 'password'}")


def stop(directory: Path) -> None:
    """Stop the server; its data stays."""
    as_server(program("pg_ctl"), "--pgdata", str(directory / "cluster"), "--mode=fast", "--wait", "stop")


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["start", "stop"])
    parser.add_argument("--directory", type=Path, default=HERE / "server")
    parser.add_argument("--port", type=int, default=54320)
    arguments = parser.parse_args()
    if arguments.what == "start":
        start(arguments.directory.resolve(), arguments.port)
    else:
        stop(arguments.directory.resolve())


if __name__ == "__main__":
    main()
