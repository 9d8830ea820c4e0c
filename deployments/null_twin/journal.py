"""The months that are finished, one JSON line each, so that a test that was interrupted goes on where it stood."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deployments.null_twin.month import MonthResult
from shell.errors import BadInput


class Journal:
    """Append-only. Lines of another `key` (other settings, data, seed or code) stay and are not read."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key

    def finished(self) -> dict[int, MonthResult]:
        """The months of this key, by number. Raises BadInput when the file cannot be read or is of another kind."""
        found: dict[int, MonthResult] = {}
        for values in self._lines():
            if values.get("key") == self._key:
                result = MonthResult.of(values["result"])
                found[result.month] = result
        return found

    def append(self, result: MonthResult) -> None:
        """Write one month down, for good. Raises BadInput where the file cannot be written."""
        line = json.dumps({"key": self._key, "result": result.as_dict()}, allow_nan=False) + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as file:
                # A line that a crash tore off in the middle must not swallow the next one.
                size = file.seek(0, os.SEEK_END)
                if size and not self._ends_a_line(size):
                    file.write(b"\n")
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadInput(f"{self._path} cannot be written: {error.strerror}") from None

    def _ends_a_line(self, size: int) -> bool:
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) == b"\n"

    def _lines(self) -> list[Mapping[str, Any]]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{self._path} cannot be read: {error}") from None
        lines: list[Mapping[str, Any]] = []
        for line in text.splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                # Torn off by a crash: its month is lived through again.
                continue
            if not isinstance(values, dict) or "key" not in values:
                raise BadInput(f"{self._path} is no journal of a null test: choose another file with --out")
            lines.append(values)
        return lines
