"""Which program decided: its version and the identity of the code that decides, the same for the same checkout anywhere."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from shell.compiled import source_root

DISTRIBUTION = "trading-brain"
# What a night's arithmetic is made of; flows only call it, deployments only start it.
DECIDING = ("shell", "tasks")
# Prompts decide, too.
TEXTS = (".py", ".md")


@cache
def program_identity() -> dict[str, str]:
    """`version` of the distribution ("" where it is not installed) and `code`, the sha256 over every deciding source file."""
    try:
        released = version(DISTRIBUTION)
    except PackageNotFoundError:
        released = ""
    root = source_root()
    digest = hashlib.sha256()
    for package in DECIDING:
        for path in sorted(each for each in (root / package).rglob("*") if each.suffix in TEXTS):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return {"version": released, "code": digest.hexdigest()}
