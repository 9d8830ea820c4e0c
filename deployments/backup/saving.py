"""Saving a home while its shell runs. No secret is in a backup: not `.env`, and no file that holds the text of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from deployments.backup.manifest import Manifest, hashes_of, write_manifest
from shell.errors import BadInput, DataError, NotNow
from shell.home import Home
from shell.secrets import load_secrets
from shell.store import migrations
from shell.store.copying import copy_database, count_rows, schema_of
from shell.store.place import store_place
from shell.store.store import Store

DATABASE, ARCHIVE, WORKSPACE, CONFIG, BESIDE = "brain.db", "archive", "strategy", "config", "beside"
# What a home keeps beside its database that is neither in it nor made anew: notes left for the shell, what is known of gaps in
# the history, and the ceilings under which no number may be given to Kraken again.
BESIDE_PATTERNS = ("brain.capital", "brain.kill", "backfill.json", "kraken-nonce-*")
SETTINGS_FILES = ("settings.toml", "risk_limits.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def save(home: Home, folder: Path, now: datetime) -> Manifest:
    """Write a backup of `home` to the new `folder`, complete or not at all.

    Raises BadInput when there is something in `folder`, NotNow when nothing has run in the home, DataError when a file that
    would be saved holds a secret.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there already: a backup is written to a new folder")
    staged = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        staged.mkdir(mode=0o700, parents=True)
        manifest = _save(home, staged, now)
        _sync(staged)
        if folder.exists():
            folder.rmdir()
        os.replace(staged, folder)
    except OSError as error:
        raise NotNow(f"the backup could not be written to {folder}: {error}") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def figures_of(store: Store) -> dict[str, Any]:
    """What a restored database must say too: rows, books and the end of the event log."""
    with store.reading() as connection:
        books: dict[str, dict[str, str]] = {}
        for name in store.books.names():
            state = store.books.load(name)
            if state is not None:
                held = {symbol: str(each.qty.value) for symbol, each in sorted(state.ledger.positions.items())}
                books[name] = {"cash": str(state.ledger.cash.value), **held}
        problems = [f"{name}: {problem}" for name in store.books.names() for problem in store.books.check(name)]
        return {
            "rows": count_rows(connection), "books": books, "books_check": tuple(problems),
            "event_head": store.events.head(),
        }


def _save(home: Home, staged: Path, now: datetime) -> Manifest:
    # The database first: a bar leaves it only after the archive has it, so what follows can hold bars twice, never not at all.
    place = store_place(home)
    copy_database(place, staged / DATABASE)
    _refuse_unreadable(staged / DATABASE)
    for name, source in ((ARCHIVE, home.archive), (WORKSPACE, home.workspace)):
        if source.is_dir():
            shutil.copytree(source, staged / name, ignore=LEFT_OUT)
    _copy(staged / CONFIG, (home.config / name for name in SETTINGS_FILES))
    _copy(staged / BESIDE, (path for pattern in BESIDE_PATTERNS for path in sorted(home.database.parent.glob(pattern))))
    _refuse_secrets(home, staged)
    schema = schema_of(staged / DATABASE)
    told: dict[str, Any] = {"rows": {}, "books": {}, "books_check": (), "event_head": ""}
    source_name = str(place)
    if schema == migrations.HEAD:
        with Store.open(staged / DATABASE, read_only=True) as store:
            told = figures_of(store)
    if not isinstance(place, Path):
        with Store.open(place, read_only=True) as store:
            source_name = store.place
    manifest = Manifest(
        made_at=now.isoformat(), schema_version=schema, source=source_name, files=hashes_of(staged), **told
    )
    write_manifest(staged, manifest)
    return manifest


def _copy(target: Path, files: Iterable[Path]) -> None:
    for file in files:
        if file.is_file():
            target.mkdir(exist_ok=True)
            shutil.copy2(file, target / file.name)


def _refuse_unreadable(copy: Path) -> None:
    if not schema_of(copy):
        raise NotNow("nothing has run in this home yet: its database is empty")


def _refuse_secrets(home: Home, staged: Path) -> None:
    """Settings keep no secrets, and nothing may put one into a strategy; if somebody did, it must not travel."""
    known = [secret.reveal().encode() for secret in load_secrets(os.environ, home.env_file).known()]
    texts = [path for name in (WORKSPACE, CONFIG) for path in sorted((staged / name).rglob("*")) if path.is_file()]
    for path in texts:
        content = path.read_bytes()
        if any(secret in content for secret in known):
            raise DataError(
                f"{path.relative_to(staged)} holds the text of a secret: take it out (secrets belong in .env), then save again"
            )


def _sync(folder: Path) -> None:
    """To the disk, files before folders: what is renamed into place is whole after a power cut."""
    for path in [*(each for each in folder.rglob("*")), folder]:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
