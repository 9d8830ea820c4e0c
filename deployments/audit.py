"""`make audit`: whether what is installed here is what requirements.lock names, whole, and free of advisories one has at hand.

    python -m deployments.audit [--advisories FOLDER] [--json]

Without a network. It compares every package's version with the lock, every installed file with the hash its wheel recorded, and
what packages ask of one another with what is there. The hashes in the lock are of whole archives and were compared when those
were installed (pip and uv refuse others). Known vulnerabilities are looked for only in a FOLDER of advisories in the OSV format
for Python packages, such as a copy of a public advisory database; without one the answer says that nobody looked.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from shell.errors import BrainError, DataError

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
# Ours, and what every new environment begins with.
NOT_LOCKED = {"trading-brain", "pip", "setuptools", "wheel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`check`: version, unlocked, file, requirement or advisory."""

    check: str
    package: str
    sentence: str


def main() -> int:
    """0 when nothing was found, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--advisories", type=Path, help="a folder of OSV files (JSON) for Python packages")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    try:
        installed = list(distributions())
        found = [*audit(installed, LOCK), *(advised(installed, given.advisories) if given.advisories else ())]
    except BrainError as error:
        print(f"refused: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for each in found:
        print(f"{each.check}: {each.package}: {each.sentence}", file=sys.stderr)  # noqa: T201
    looked = f"advisories of {given.advisories}" if given.advisories else "no advisories were compared (--advisories FOLDER)"
    told = f"{len(installed)} packages, {len(found)} findings; versions, files and requirements were compared; {looked}"
    facts = {"packages": len(installed), "advisories": str(given.advisories or "") or None,
             "findings": [{"check": each.check, "package": each.package, "sentence": each.sentence} for each in found]}
    print(json.dumps(facts) if given.json else told)  # noqa: T201
    return 1 if found else 0


def audit(installed: Iterable[Distribution], lock: Path) -> list[Finding]:
    """What differs from the lock or from what the wheels recorded, and requirements that are not met."""
    known: dict[str, Distribution] = {canonicalize_name(each.metadata["Name"]): each for each in installed}
    wanted = locked(lock)
    found: list[Finding] = []
    for name, version in wanted.items():
        if name in known and known[name].version != version:
            told = f"{known[name].version} is installed, {version} is locked"
            found.append(Finding(check="version", package=name, sentence=told))
    for name, each in sorted(known.items()):
        if name not in wanted and name not in NOT_LOCKED:
            found.append(Finding(check="unlocked", package=name, sentence=f"{each.version} is installed and not in the lock"))
        found += [Finding(check="file", package=name, sentence=told) for told in changed_files(each)]
        found += [Finding(check="requirement", package=name, sentence=told) for told in unmet(each, known)]
    return found


def locked(lock: Path) -> dict[str, str]:
    """Version by package. Raises DataError for a line without a version."""
    found: dict[str, str] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        text = line.split("#", 1)[0].removesuffix("\\").strip()
        if not text or text.startswith("--"):
            continue
        requirement = Requirement(text)
        versions = [each.version for each in requirement.specifier if each.operator == "=="]
        if len(versions) != 1:
            raise DataError(f"{lock.name} does not pin {requirement.name}")
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = versions[0]
    return found


def changed_files(distribution: Distribution) -> Iterator[str]:
    """Files that are not what the wheel brought, by the hashes in its RECORD. Compiled files have none and are skipped.

    RECORD is read here: `Distribution.files` leaves missing files out, from Python 3.12 on and wherever the package
    importlib_metadata has been imported.
    """
    for name, recorded, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        kind, _, wanted = recorded.partition("=")
        if not wanted:
            continue
        try:
            content = Path(str(distribution.locate_file(name))).read_bytes()
        except OSError as error:
            yield f"{name} cannot be read: {error.strerror}"
            continue
        digest = base64.urlsafe_b64encode(hashlib.new(kind, content).digest()).rstrip(b"=").decode()
        if digest != wanted:
            yield f"{name} is not the file that was installed"


def unmet(distribution: Distribution, known: Mapping[str, Distribution]) -> Iterator[str]:
    """Requirements of a package that are missing or of another version; those of extras are nobody's here."""
    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        there = known.get(canonicalize_name(requirement.name))
        if there is None:
            yield f"{requirement} is not installed"
        elif not requirement.specifier.contains(there.version, prereleases=True):
            yield f"{requirement} is needed, {there.version} is installed"


def advised(installed: Iterable[Distribution], folder: Path) -> Iterator[Finding]:
    """Advisories that name an installed version. Raises DataError for a folder without any, or a file of another format."""
    known = {canonicalize_name(each.metadata["Name"]): each.version for each in installed}
    files = sorted(folder.rglob("*.json")) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder} holds no advisories (*.json)")
    for file in files:
        try:
            advisory: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            affected = [(each, canonicalize_name(each["package"]["name"])) for each in advisory.get("affected", ())]
            hit = [name for each, name in affected if name in known and is_affected(each, known[name])]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{file} is no OSV advisory: {error}") from None
        if not advisory.get("withdrawn"):
            said = f"{advisory.get('id', file.stem)}: {advisory.get('summary') or 'no summary'}"
            for name in dict.fromkeys(hit):
                yield Finding(check="advisory", package=name, sentence=f"{known[name]}: {said}")


def is_affected(affected: Mapping[str, Any], version: str) -> bool:
    """Whether a version is listed, or lies in a range from `introduced` up to `fixed` or `last_affected`
    (ossf.github.io/osv-schema, section "affected", read November 2026)."""
    if version in affected.get("versions", ()):
        return True
    return any(
        _within(each["events"], Version(version)) for each in affected.get("ranges", ()) if each["type"] == "ECOSYSTEM"
    )


def _within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """Events in order of their versions switch being affected on and off."""
    inside = False
    for event in sorted(events, key=lambda event: _bound(next(iter(event.values())))):
        ((kind, text),) = event.items()
        bound = _bound(text)
        if kind == "introduced":
            inside = inside or version >= bound
        elif kind == "fixed":
            inside = inside and version < bound
        elif kind == "last_affected":
            inside = inside and version <= bound
    return inside


def _bound(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion as error:
        raise ValueError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
