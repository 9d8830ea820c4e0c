"""Child processes of ours: waiting for their end, and what they said last."""

from __future__ import annotations

import os
import subprocess
from typing import IO, Any

from shell.clock import monotonic

LAST_WORDS_BYTES_MAX = 4096


def end_by(process: subprocess.Popen[Any], deadline: float) -> None:
    """Wait for `process` to end by itself, and end it by force at `deadline` (of `shell.clock.monotonic`)."""
    try:
        process.wait(max(0.0, deadline - monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_words(words: IO[bytes]) -> str:
    """The last line a process wrote to this file; empty if it wrote none."""
    size = words.seek(0, os.SEEK_END)
    words.seek(max(0, size - LAST_WORDS_BYTES_MAX))
    lines = words.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
