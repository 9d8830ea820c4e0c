"""What a backup says of itself: every file with its hash, the schema, and the figures by which a restored home is checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shell.errors import DataError

MANIFEST = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`files` maps a path within the backup to its SHA-256. `books` maps a book to its cash and holdings as text; it is empty,
    as `event_head` is, when the schema is not the one this program reads. `source` is the database without its password."""

    made_at: str
    schema_version: str
    source: str
    files: Mapping[str, str]
    rows: Mapping[str, int]
    books: Mapping[str, Mapping[str, str]]
    books_check: tuple[str, ...]
    event_head: str
    format: int = FORMAT


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Raises DataError for a folder without one, or one of another format."""
    try:
        told: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise DataError(f"{folder} is a backup of format {told['format']}, this one reads {FORMAT}: use a newer program")
        return Manifest(**{**told, "books_check": tuple(told["books_check"])})
    except FileNotFoundError:
        raise DataError(f"{folder} is no backup: it has no {MANIFEST}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST} cannot be read: {error}") from None


def hashes_of(folder: Path) -> dict[str, str]:
    """Every file below `folder` but the manifest, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _hash(path) for path in files if path != folder / MANIFEST}


def verify(folder: Path, manifest: Manifest) -> None:
    """Raises DataError naming files that are missing, changed, or there without having been saved."""
    found = hashes_of(folder)
    wrong = sorted(name for name in {*found, *manifest.files} if found.get(name) != manifest.files.get(name))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DataError(f"{folder} is damaged: {', '.join(wrong[:3])}{more} not as it was saved; nothing was restored")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
