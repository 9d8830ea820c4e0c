"""A home: the folder one running system keeps its state in, and the lock that makes one process its only writer (D11).

The project itself is the default home. A rehearsal has a private one, so that it can never touch the real books.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from shell.compiled import source_root
from shell.errors import BadInput, NotNow

_OWNER_TEXT_BYTES_MAX = 32
# A Unix socket's path has at most 107 bytes (Linux; 103 on macOS), of which a socket's own name takes up to 20.
_SOCKET_FOLDER_BYTES_MAX = 80


def find_project(start: Path | None = None) -> Path:
    """The project's root: the nearest folder at or above `start` (default: the working directory) that has settings.

    That is, a `config/settings.toml`. Without one, the folder this package's sources lie in: the root of a source checkout.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "config" / "settings.toml").is_file():
            return folder
    return source_root()


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The absolute paths of one home. `config` is read and never written: it belongs to the user."""

    root: Path
    database: Path
    archive: Path
    workspace: Path
    reports: Path
    logs: Path
    prefect: Path
    config: Path

    @classmethod
    def project(cls, root: Path | None = None) -> Home:
        """The project as its own home: state under `data/`, the workspace and reports beside it."""
        base = root.resolve() if root is not None else find_project()
        return cls(
            root=base,
            database=base / "data" / "brain.db",
            archive=base / "data" / "archive",
            workspace=base / "strategy",
            reports=base / "reports",
            logs=base / "data" / "logs",
            prefect=base / "data" / "prefect",
            config=base / "config",
        )

    @classmethod
    def private(cls, folder: Path, *, project: Path | None = None) -> Home:
        """Everything inside `folder`, except the settings, which stay the project's."""
        base = folder.resolve()
        return cls(
            root=base,
            database=base / "brain.db",
            archive=base / "archive",
            workspace=base / "strategy",
            reports=base / "reports",
            logs=base / "logs",
            prefect=base / "prefect",
            config=(project.resolve() if project is not None else find_project()) / "config",
        )

    @property
    def lock_file(self) -> Path:
        return self.database.with_name("brain.lock")

    @property
    def kill_file(self) -> Path:
        """Where `brain kill` leaves its note for a shell that is running."""
        return self.database.with_name("brain.kill")

    @property
    def run(self) -> Path:
        """Sockets and notes of what runs on this home, its owner's alone (see `make_private`). Outside the home where its
        path is too long for a socket; the same folder each time."""
        near = self.database.parent / "run"
        if len(os.fsencode(near)) <= _SOCKET_FOLDER_BYTES_MAX:
            return near
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"brain-{os.getuid()}-{digest}"

    @property
    def control_socket(self) -> Path:
        """Where the shell of this home answers (`shell.control`)."""
        return self.run / "control.sock"

    @property
    def env_file(self) -> Path:
        """Where secrets may be kept, beside `config/`."""
        return self.config.parent / ".env"

    def create(self) -> Self:
        """Make the folders that are missing (never `config`) and return this home. Raises BadInput where it cannot."""
        for name in (field.name for field in fields(self)):
            path: Path = getattr(self, name)
            folder = path.parent if name == "database" else path
            if name != "config":
                _make_folder(folder)
        return self


def make_private(folder: Path) -> None:
    """Make `folder`, closed to everybody but its owner. Raises BadInput where it is somebody else's, or a link."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise BadInput(f"{folder} is not a folder of this user's: remove it")
        folder.chmod(0o700)
    except OSError as error:
        raise BadInput(f"the folder {folder} cannot be made: {error.strerror}") from None


class HomeLock:
    """Only one process at a time may write a home.

    The operating system holds the lock (flock) and drops it with the process, however that ends, so no stale lock can
    be left behind. The number in the file is for the sentence alone and decides nothing.
    """

    def __init__(self, home: Home) -> None:
        self._path = home.lock_file
        self._root = home.root
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    @staticmethod
    def writer_of(home: Home) -> str:
        """The process that writes `home` now, as the lock file names it; empty when nobody does. Looking changes nothing."""
        try:
            descriptor = os.open(home.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, _OWNER_TEXT_BYTES_MAX, 0).decode("ascii", "replace").strip() or "unknown"
        except OSError:
            return ""
        finally:
            # Closing drops what was taken.
            os.close(descriptor)
        return ""

    def acquire(self) -> Self:
        """Take the lock at once. Raises NotNow if another process, or another lock of this one, has it."""
        if self._descriptor is not None:
            raise NotNow(f"this process already holds the home {self._root}")
        _make_folder(self._path.parent)
        descriptor = _open_lock_file(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, _OWNER_TEXT_BYTES_MAX, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"process {owner}" if owner.isdigit() else "another process"
            raise NotNow(f"{who} is writing the home {self._root} already: stop it, or use another home") from None
        except OSError as error:
            os.close(descriptor)
            raise BadInput(f"the file system of {self._root} cannot lock {self._path.name}: {error.strerror}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the lock back if it is held. The file stays: without it two processes could lock different files."""
        if self._descriptor is not None:
            # Unlocked by name, because closing leaves the lock to a child that is between its fork and its exec.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self if self.held else self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _open_lock_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadInput(f"{path} cannot be opened for writing: {error.strerror}") from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {folder} cannot be made: {error.strerror}") from None
