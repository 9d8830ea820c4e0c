"""Restoring a backup into an empty home, and checking that it says what the original said.

Settings are never written: they are the user's alone. The restored ones lie in the backup, and what differs is named.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.backup.manifest import Manifest, read_manifest, verify
from deployments.backup.saving import ARCHIVE, BESIDE, CONFIG, DATABASE, WORKSPACE, figures_of
from shell.errors import DataError, NotNow
from shell.home import Home, HomeLock
from shell.store import migrations
from shell.store.copying import fill_database
from shell.store.place import open_store, store_place

MOVED_ASIDE = "before-restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """`differing_settings`: files under config/ that are not what the backup holds. `moved_aside`: where a workspace that was
    there lies now."""

    manifest: Manifest
    upgraded_from: str
    figures: dict[str, Any]
    differing_settings: tuple[str, ...]
    moved_aside: Path | None


def restore(folder: Path, home: Home) -> Restored:
    """Bring the backup in `folder` into `home`, which must have no database and no archive.

    Raises DataError for a damaged backup before anything is written, and when the restored books do not say what the saved ones
    did; NotNow when the home is not empty or somebody is writing it.
    """
    manifest = read_manifest(folder)
    verify(folder, manifest)
    home.create()
    with HomeLock(home):
        _refuse_full(home)
        _restore_database(folder / DATABASE, home)
        with open_store(home) as store:
            figures = figures_of(store)
        _compare(manifest, figures)
        if (folder / ARCHIVE).is_dir():
            shutil.copytree(folder / ARCHIVE, home.archive, dirs_exist_ok=True)
        moved = _restore_workspace(folder / WORKSPACE, home.workspace)
        for file in _files(folder / BESIDE):
            shutil.copy2(file, home.database.with_name(file.name))
    return Restored(
        manifest=manifest, figures=figures, moved_aside=moved, differing_settings=_differing(folder / CONFIG, home.config),
        upgraded_from=manifest.schema_version if manifest.schema_version != migrations.HEAD else "",
    )


def _refuse_full(home: Home) -> None:
    place = store_place(home)
    if isinstance(place, Path) and place.exists():
        raise NotNow(f"{place} exists: a backup is restored into an empty home only; move the old one away, or give --home")
    if any(path.is_file() for path in home.archive.rglob("*")):
        raise NotNow(f"{home.archive} holds bars already: a backup is restored into an empty home only")


def _restore_database(saved: Path, home: Home) -> None:
    """By way of a copy beside the place it goes to: a half-written database is never found there."""
    with tempfile.TemporaryDirectory(dir=home.database.parent, prefix=".restore-") as scratch:
        copy = Path(scratch) / DATABASE
        shutil.copyfile(saved, copy)
        copy.chmod(0o600)
        place = store_place(home)
        if isinstance(place, Path):
            os.replace(copy, place)
        else:
            fill_database(copy, place)


def _compare(manifest: Manifest, figures: dict[str, Any]) -> None:
    if figures["books_check"] and not manifest.books_check:
        raise DataError(f"the restored books do not agree with their own facts: {'; '.join(figures['books_check'])}")
    if not manifest.books:
        return
    said = {name: dict(book) for name, book in manifest.books.items()}
    if figures["books"] != said:
        raise DataError("the restored books hold other amounts than the saved ones: do not trade on this home")
    # A migration may add rows and events of its own; without one everything is as it was.
    same_schema = manifest.schema_version == migrations.HEAD
    if same_schema and (figures["rows"] != dict(manifest.rows) or figures["event_head"] != manifest.event_head):
        raise DataError("the restored database is not the saved one: do not trade on this home")


def _restore_workspace(saved: Path, workspace: Path) -> Path | None:
    """Put the saved workspace in place; one that was there is moved aside, never lost."""
    if not saved.is_dir():
        return None
    moved: Path | None = None
    if workspace.is_dir() and any(workspace.iterdir()):
        moved = workspace.with_name(f"{workspace.name}-{MOVED_ASIDE}")
        if moved.exists():
            raise NotNow(f"{moved} is there from an earlier restore: look at it and move it away first")
        workspace.rename(moved)
    elif workspace.is_dir():
        workspace.rmdir()
    shutil.copytree(saved, workspace)
    return moved


def _differing(saved: Path, config: Path) -> tuple[str, ...]:
    return tuple(
        file.name for file in _files(saved)
        if not (config / file.name).is_file() or (config / file.name).read_bytes() != file.read_bytes()
    )


def _files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
