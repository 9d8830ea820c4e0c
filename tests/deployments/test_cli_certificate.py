"""`brain certificate` and `brain strategy show`, as a person or a program meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.store.store import Store
from tests.shell.promotion.test_certificate import promoted

__all__ = ["promoted"]


@pytest.fixture
def home(promoted: Store, tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    with promoted.reading() as connection:
        (_, _, file) = connection.exec_driver_sql("PRAGMA database_list").first()
    for path in Path(file).parent.glob("brain.db*"):
        shutil.copyfile(path, place / path.name)
    return place


def told(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    return done.exit_code, json.loads(done.output.strip().splitlines()[-1])


def test_a_promotion_is_certified_and_the_file_verifies_without_the_home(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "v002.json"
    code, facts = told("certificate", "v002", "--out", out, "--home", home)
    assert (code, facts["holds"], facts["candidate"], facts["trials"]) == (0, True, "c0002", 3)
    shutil.rmtree(home)
    code, facts = told("certificate", "verify", out)
    assert (code, facts["holds"], facts["version"]) == (0, True, "v002")
    people = CliRunner().invoke(app, ["certificate", "verify", str(out)])
    assert people.exit_code == 0
    assert "everything says so" in people.output


def test_a_changed_file_is_refused_with_what_no_longer_holds(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "v002.json"
    told("certificate", "v002", "--out", out, "--home", home)
    out.write_text(out.read_text().replace('"code": "x = 1', '"code": "x = 2'))
    code, facts = told("certificate", "verify", out)
    assert (code, facts["holds"]) == (1, False)
    assert facts["failure"] == "code: the code is not that of the candidate"
    assert facts["held"] == ["chain", "facts", "promotion"]
    people = CliRunner().invoke(app, ["certificate", "verify", str(out)])
    assert "the code is not that of the candidate" in " ".join(people.output.split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["v001"], 1), (["v099"], 1), (["verify"], 2), (["verify", "no/such/file"], 1), (["v002", "extra"], 2)],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(arguments: list[str], code: int, home: Path) -> None:
    found, facts = told("certificate", *arguments, "--home", home)
    assert found == code
    assert facts["error"]


def test_a_candidate_shows_its_evidence_clock_and_the_trials_it_competes_with(home: Path) -> None:
    _, facts = told("strategy", "show", "c0002", "--home", home)
    (clock,) = facts["evidence"]
    assert clock["name"] == "c0002"
    assert clock["have_days"] == 84
    assert clock["trials"] == facts["trials"]["counted"] == 4
    assert 0 < clock["paper_power"] < 1
    people = CliRunner().invoke(app, ["strategy", "show", "c0002", "--home", str(home)])
    assert "7-day paper trial" in people.output


def test_a_version_shows_the_clock_of_the_candidate_it_came_from(home: Path) -> None:
    _, facts = told("strategy", "show", "v002", "--home", home)
    assert [clock["name"] for clock in facts["evidence"]] == ["c0002"]
    _, facts = told("strategy", "show", "v000", "--home", home)
    assert facts["evidence"] == []
