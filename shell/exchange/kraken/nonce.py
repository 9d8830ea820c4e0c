"""Nonces: unsigned 64-bit numbers that grow with every private request of a key, whatever the clock or a crash does.

They count nanoseconds, the finest unit any client uses, so that a key that served another program before still works
(Kraken never lets a key's nonce fall). Before a number is given out, a ceiling above it is on disk; a new process goes on
above the ceiling it finds. So neither a crash nor a clock that stepped back can repeat one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import Lock

from shell.clock import Clock
from shell.errors import BadInput, Fatal
from shell.secrets import Secret

NANOSECONDS = 1_000_000_000
# How far above the last number the ceiling on disk lies: one write to disk in as many seconds of steady use.
RESERVED = 5 * NANOSECONDS
LARGEST = 2**64 - 1
_MICROSECONDS = 1_000_000


def nonce_file(folder: Path, key: Secret) -> Path:
    """Where the ceiling of `key` is kept: one file a key, named by a digest that does not tell the key."""
    return folder / f"kraken-nonce-{hashlib.sha256(key.reveal().encode()).hexdigest()[:16]}"


class NonceSource:
    """The nonces of one key in one process; a home's lock keeps other processes away. Usable from several threads."""

    def __init__(self, path: Path, clock: Clock, *, reserved: int = RESERVED) -> None:
        """`reserved`: how far above the last number, in nanoseconds, the ceiling on disk lies. Raises BadInput for a file that
        holds no number: guessing lower could lock the key out."""
        self._path = path
        self._clock = clock
        self._reserved = reserved
        self._lock = Lock()
        self._ceiling = _read(path)
        self._last = self._ceiling

    def next(self) -> int:
        """A number above every one given out before, here or in an earlier process. Raises Fatal when it cannot be kept."""
        with self._lock:
            wanted = max(_nanoseconds(self._clock), self._last + 1)
            if wanted > LARGEST:
                raise Fatal("the nonces of this API key are used up: make a new key at Kraken")
            if wanted > self._ceiling:
                ceiling = min(wanted + self._reserved, LARGEST)
                _write(self._path, ceiling)
                self._ceiling = ceiling
            self._last = wanted
            return wanted


def _nanoseconds(clock: Clock) -> int:
    return round(clock.now().timestamp() * _MICROSECONDS) * (NANOSECONDS // _MICROSECONDS)


def _read(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({type(error).__name__}); it holds the last nonce of the API key") from None
    if not text.isdecimal() or int(text) > LARGEST:
        raise BadInput(f"{path} holds no nonce: delete it if the machine's clock is right")
    return int(text)


def _write(path: Path, ceiling: int) -> None:
    """Whole or not at all, and on the disk before this returns."""
    fresh = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, f"{ceiling}\n".encode("ascii"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Fatal(f"the nonce cannot be kept in {path} ({error.strerror}): no private request is sent") from None
