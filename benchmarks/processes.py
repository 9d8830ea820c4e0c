"""Run a script in a process of its own and watch the memory of it and its children.

Memory is read from `/proc`: for every process alive at a moment its own peak so far (VmHWM), added up; the largest such
sum counts. Pages that processes share (libraries, shared columns) are counted once in each, so this is an upper bound.
Where there is no `/proc`, memory is None.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.05
STDERR_SHOWN = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The JSON object a script ended with, and the peak of its processes' memory in MiB."""

    facts: dict[str, Any]
    peak_mib: float | None


def run_script(script: Path, *arguments: str) -> Answer:
    """Run a Python script to its end. Raises SystemExit with its last words if it fails; leaves no process behind."""
    command = [sys.executable, str(script), *arguments]
    # Files, not pipes: nobody reads while the script runs, and it must not wait for a reader.
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        try:
            peak = _watch(process)
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        errors.seek(0)
        lines = out.read().splitlines()
        if process.returncode or not lines:
            last_words = errors.read()[-STDERR_SHOWN:]
            raise SystemExit(f"{script.name} {' '.join(arguments)} failed (exit {process.returncode}):\n{last_words}")
    return Answer(facts=json.loads(lines[-1]), peak_mib=peak)


def _watch(process: subprocess.Popen[bytes]) -> float | None:
    peak, seen = 0, {process.pid}
    while True:
        try:
            process.wait(timeout=SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            family = _family(process.pid)
            # Between fork and exec a child shows its parent's memory; it counts from the second look on.
            peak = max(peak, sum(_peak_kib(pid) for pid in family if pid in seen))
            seen.update(family)
        else:
            return peak / 1024 if peak else None


def _family(pid: int) -> list[int]:
    """A process and all its descendants that are alive."""
    family, position = [pid], 0
    while position < len(family):
        for children in Path(f"/proc/{family[position]}/task").glob("*/children"):
            family += [int(each) for each in _read(children).split()]
        position += 1
    return family


def _peak_kib(pid: int) -> int:
    for line in _read(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def _read(path: Path) -> str:
    """The file's text; nothing once its process is gone."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
