"""The code that a month of the null test is lived with, as one hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

# What decides a month's outcome besides its settings: any change of these lives through every month again.
CODE_FOLDERS = ("shell", "tasks", "deployments/null_twin", "strategy/active", "strategy/skills")
HASH_DIGITS = 16


def code_hash(project: Path) -> str:
    """Over every Python file that takes part: those of the installed product, and the project's strategy."""
    digest = hashlib.sha256()
    product = Path(__file__).resolve().parents[2]
    for folder in CODE_FOLDERS:
        root = project if folder.startswith("strategy") else product
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:HASH_DIGITS]
