"""The proof's own parts, small: a storm and two deaths every day, and that the proof can fail."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import structlog

from shell.errors import Fatal, OutcomeUnknown
from shell.exchange.kraken.private_types import NewOrder
from shell.exchange.live.venue import KrakenVenue
from tests.faults import core, run
from tests.faults.core import AMBIGUOUS, CORE_KILLS, LIVES_A_JOB, SHELL_KILLS, STORM_SIZE, Job, jobs, line
from tests.faults.execution_world import Tally
from tests.faults.run import Section
from tests.faults.storm import storm


def test_a_storm_of_lost_answers_leaves_every_invariant_whole(tmp_path: Path, seed: int) -> None:
    tally = storm(tmp_path / "storm", seed, scans=5)
    assert tally.ambiguous >= 3
    assert not tally.wrong.total(), (seed, tally.sentences)


def test_a_storm_finds_a_venue_that_sends_again(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    once = KrakenVenue.add

    def twice(venue: KrakenVenue, order: NewOrder) -> str:
        try:
            return once(venue, order)
        except OutcomeUnknown:
            return once(venue, order)

    def noticed(seed: int) -> bool:
        """By the oracle, or by the shell, which goes no further once it sees both orders."""
        try:
            return storm(tmp_path / str(seed), seed, scans=6).wrong["I1"] > 0
        except Fatal as error:
            return "one intent became two orders" in str(error)

    monkeypatch.setattr(KrakenVenue, "add", twice)
    assert any(noticed(seed + each) for each in range(4))


def test_killed_lives_leave_every_invariant_whole(tmp_path: Path, seed: int) -> None:
    tally = core.lives(tmp_path, seed, 2)
    assert tally.kills == 2
    assert not tally.wrong.total(), (seed, tally.sentences)


def test_the_whole_proof_is_as_large_as_it_says() -> None:
    def count(points: int, kind: str) -> int:
        return sum(job.number for job in jobs(7, points) if job.kind == kind)

    assert count(25, "lives") >= CORE_KILLS
    assert count(25, "shell") == SHELL_KILLS
    assert count(25, "storms") * STORM_SIZE >= AMBIGUOUS
    assert count(5, "lives") < 1.5 * CORE_KILLS / 5 + LIVES_A_JOB
    assert len({job.seed for job in jobs(7, 25) if job.kind == "storms"}) == len([j for j in jobs(7, 25) if j.kind == "storms"])


def test_the_line_counts_what_is_wrong() -> None:
    tally = Tally(kills=3, shell_kills=1, ambiguous=5)
    tally.wrong.update({"I1": 1, "lost": 2, "doubled": 3, "I3": 4, "oversold": 1, "I4": 6})
    assert line(tally, 9) == (
        "3 crash points (1 whole-shell SIGKILL), 5 ambiguous submissions, duplicate orders 1, lost fills 2, doubled fills 3, balances off 5, "
        "limits breached 6, seed 9"
    )


def test_a_section_that_hangs_or_fails_does_not_keep_the_others_from_running(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    programs = {"hangs": "import time; time.sleep(600)", "fails": "raise SystemExit(3)", "works": "print('here')"}
    monkeypatch.setattr(Section, "command", lambda section: ["/usr/bin/env", "python3", "-c", programs[section.name]])
    sections = [Section(name=name, minutes=0.01 if name == "hangs" else 1) for name in programs]
    assert run.main([], sections) == 1
    told = capfd.readouterr().out
    assert [part for part in ("hangs: HUNG", "fails: FAILED", "works: done", "here\n") if part not in told] == []
    assert run.main(["works"], sections) == 0
    assert run.main(["nowhere"], sections) == 2


def test_every_section_names_places_that_exist() -> None:
    named = [path for section in run.SECTIONS for path in section.paths]
    assert [path for path in named if not (run.ROOT / path).exists()] == []


def test_a_job_tells_the_seed_of_what_it_found_and_keeps_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path, _seed: int) -> Tally:
        folder.mkdir()
        (folder / "brain.db").write_text("the books")
        tally = Tally()
        tally.blame("I1", "two orders")
        return tally

    monkeypatch.setattr(core, "storm", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # A job has a process to itself, and silences all of it.
    monkeypatch.setattr(structlog, "configure", lambda **_given: None)
    tally, _ = core.worked(Job("storms", 41, 1))
    said, kept = tally.sentences
    assert (tally.wrong["I1"], said) == (1, "storm 41: I1: two orders")
    assert (Path(kept.rpartition(" ")[2]) / "storm" / "brain.db").read_text() == "the books"
