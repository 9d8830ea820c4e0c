"""Changing single values in a settings file that a person also edits: comments, order and everything else stay."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shell.errors import BadInput

_SECTION = re.compile(r"\s*\[([\w.]+)\]\s*(#.*)?$")
Value = str | int | float | bool | Sequence[str] | Sequence[int]


def edited(text: str, changes: Mapping[str, Value]) -> str:
    """`text` with every dotted key of `changes` (`account.symbols`, `mode`) set to its value.

    A key that is not there is added at the end of its section, a section that is not there at the end of the file. Raises
    BadInput when the result would not read back as exactly these changes, such as after a value over several lines.
    """
    lines = text.splitlines()
    for dotted, value in changes.items():
        section, _, key = dotted.rpartition(".")
        _set(lines, section, key, f"{key} = {literal(value)}")
    made = "\n".join(lines) + "\n"
    _require_only(text, made, changes)
    return made


def literal(value: Value) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which JSON allows and TOML does not
    if isinstance(value, int | float):
        return str(value)
    return "[" + ", ".join(literal(each) for each in value) + "]"


def write_private(file: Path, text: str, *, mode: int = 0o600) -> None:
    """Put `text` in the place of a file, at once or not at all. Raises BadInput where it cannot be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
            os.fchmod(opened.fileno(), mode)
        os.replace(name, file)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from None


def env_with(text: str, secrets: Mapping[str, str]) -> str:
    """The text of a `.env` with these names set. Raises BadInput for a value that such a file cannot hold."""
    lines = text.splitlines()
    for name, value in secrets.items():
        if not value or re.search(r"[\s'\"#\\$]", value):
            raise BadInput(f"{name} holds a blank or a quotation mark: it was not copied whole, or not copied alone")
        line = f"{name}={value}"
        place = next((at for at, each in enumerate(lines) if re.match(rf"\s*(export\s+)?{name}\s*=", each)), None)
        if place is None:
            lines.append(line)
        else:
            lines[place] = line
    return "\n".join(lines) + "\n"


def _set(lines: list[str], section: str, key: str, line: str) -> None:
    current, last = "", -1 if section else 0
    for at, each in enumerate(lines):
        found = _SECTION.match(each)
        if found:
            current = found[1]
        if current == section:
            if each.strip() and not each.lstrip().startswith("#"):
                last = at + 1
            if re.match(rf"\s*{re.escape(key)}\s*=", each):
                lines[at] = line
                return
    if last >= 0:
        lines.insert(last, line)
    else:
        lines += ["", f"[{section}]", line]


def _require_only(before: str, after: str, changes: Mapping[str, Value]) -> None:
    try:
        old, new = tomllib.loads(before), tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"the file cannot be changed safely, so it was left alone: {error}") from None
    for dotted, value in changes.items():
        target: Any = old
        *sections, key = dotted.split(".")
        for each in sections:
            target = target.setdefault(each, {})
        target[key] = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    if old != new:
        raise BadInput("the file cannot be changed safely, so it was left alone: edit it by hand")
