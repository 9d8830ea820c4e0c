"""What `make audit` finds in a small environment of its own, and that it finds nothing where nothing is wrong."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import import_module
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest

from deployments.audit import advised, audit, is_affected, locked
from shell.errors import DataError

LOCK = "alpha==1.2.0 \\\n    --hash=sha256:00\nbeta[extra]==2.0 ; python_version >= '3.11' \\\n    --hash=sha256:00\n"


def install(site: Path, name: str, version: str, *requires: str) -> Path:
    """A package of one file, as a wheel leaves it."""
    file, info = site / name / "__init__.py", site / f"{name}-{version}.dist-info"
    for folder in (file.parent, info):
        folder.mkdir(parents=True)
    file.write_text(f"VERSION = '{version}'\n")
    lines = [f"Requires-Dist: {each}" for each in requires]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""]))
    digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
    (info / "RECORD").write_text(f"{name}/__init__.py,sha256={digest},{file.stat().st_size}\n{info.name}/RECORD,,\n")
    return file


@pytest.fixture
def site(tmp_path: Path) -> Path:
    install(tmp_path / "site", "alpha", "1.2.0", "beta>=2", "gamma>=1; extra == 'more'")
    install(tmp_path / "site", "beta", "2.0")
    (tmp_path / "lock").write_text(LOCK)
    return tmp_path / "site"


def installed(site: Path) -> list[Distribution]:
    return list(distributions(path=[str(site)]))


def found(site: Path) -> list[tuple[str, str]]:
    return [(each.check, each.package) for each in audit(installed(site), site.parent / "lock")]


def test_an_environment_that_is_the_locked_one_has_nothing_to_tell(site: Path) -> None:
    assert found(site) == []


@pytest.mark.parametrize("library", ["importlib.metadata", "importlib_metadata"])
def test_a_changed_and_a_missing_file_are_found(site: Path, library: str) -> None:
    # The second takes the first one's place once anything has imported it, and lists no file that is missing.
    import_module(library)
    (site / "alpha" / "__init__.py").write_text("VERSION = '6.6.6'\n")
    assert found(site) == [("file", "alpha")]
    (site / "alpha" / "__init__.py").unlink()
    assert found(site) == [("file", "alpha")]


def test_other_versions_strangers_and_unmet_requirements_are_found(site: Path) -> None:
    (site.parent / "lock").write_text(LOCK.replace("1.2.0", "1.3.0"))
    install(site, "delta", "0.1", "beta<2", "epsilon")
    assert found(site) == [("version", "alpha"), ("unlocked", "delta"), ("requirement", "delta"), ("requirement", "delta")]


def test_an_unpinned_line_of_the_lock_is_refused_and_ours_is_pinned(site: Path, project: Path) -> None:
    (site.parent / "lock").write_text("alpha>=1\n")
    with pytest.raises(DataError, match="does not pin alpha"):
        found(site)
    assert locked(project / "requirements.lock")["prefect"] == "3.8.8"


RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.2"}, {"fixed": "1.2.1"}]}


@pytest.mark.parametrize(
    ("affected", "version", "hit"),
    [
        ({"ranges": [RANGE]}, "0.9", True), ({"ranges": [RANGE]}, "1.0", False), ({"ranges": [RANGE]}, "1.2.0", True),
        ({"ranges": [RANGE]}, "1.2.1", False), ({"versions": ["1.1"]}, "1.1", True), ({"versions": ["1.1"]}, "1.10", False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.9"}, {"last_affected": "1.10"}]}]}, "1.10", True),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, "1.0", False), ({}, "1.0", False),
    ],
)
def test_a_version_is_affected_when_listed_or_within_a_range(affected: dict[str, Any], version: str, hit: bool) -> None:
    assert is_affected(affected, version) is hit


def test_advisories_at_hand_are_matched_and_withdrawn_ones_are_not(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "advisories"
    folder.mkdir()
    with pytest.raises(DataError, match="no advisories"):
        list(advised(installed(site), folder))
    for name, extra in (("X-1", {}), ("X-2", {"withdrawn": "2026-01-01T00:00:00Z"})):
        advisory = {"id": name, "summary": "reads too much", "affected": [{"package": {"name": "Alpha"}, "ranges": [RANGE]}], **extra}
        (folder / f"{name}.json").write_text(json.dumps(advisory))
    assert [(each.package, each.sentence) for each in advised(installed(site), folder)] == [("alpha", "1.2.0: X-1: reads too much")]
    (folder / "X-3.json").write_text("[]")
    with pytest.raises(DataError, match="X-3"):
        list(advised(installed(site), folder))
