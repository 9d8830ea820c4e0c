"""`brain null-test` as a program: its JSON, taking over finished months, Ctrl-C, and no process left behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.thorough import thorough

ROOT = Path(__file__).resolve().parents[3]
NIGHTS = "1"


def command(out: Path, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "deployments.cli.main", "null-test", "--nights", NIGHTS, "--market", "martingale", "--json",
        "--out", str(out), *options,
    ]


def last_line(stdout: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(stdout.strip().splitlines()[-1])
    return facts


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


@pytest.fixture
def small(project: Path, tmp_path: Path) -> Path:
    """A project of its own, with settings under which a month takes seconds."""
    folder = tmp_path / "project"
    for name in ("config", "strategy"):
        shutil.copytree(project / name, folder / name)
    settings = folder / "config" / "settings.toml"
    text = settings.read_text()
    small = {"search_evaluations": 1, "search_days_max": 6, "history_days_min": 20, "history_days_max": 24}
    for key, value in small.items():
        text, found = re.subn(rf"(?m)^{key} = \d+$", f"{key} = {value}", text)
        assert found == 1, key
    settings.write_text(text)
    return folder


def told(small: Path, out: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(command(out, *options), cwd=small, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return last_line(done.stdout)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@thorough
def test_months_are_taken_over_and_the_number_of_workers_changes_nothing(small: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "months.jsonl", tmp_path / "again.jsonl"
    first = told(small, out, "--months", "2")
    assert (first["months"], first["taken_over"], first["partial"]) == (2, 0, False)
    assert first["false_promotion_rate"] == first["promotions"] / 2
    assert first["interval"][0] <= first["false_promotion_rate"] <= first["interval"][1]
    second = told(small, out, "--months", "2")
    assert second["taken_over"] == 2
    alone = told(small, again, "--months", "2", "--workers", "1")
    same = ("months", "candidates_scored", "looks", "promotions", "refusals", "markets", "interval")
    assert {key: alone[key] for key in same} == {key: first[key] for key in same}
    assert {key: second[key] for key in same} == {key: first[key] for key in same}


@thorough
def test_another_setting_lives_through_every_month_again(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "months.jsonl"
    told(small, out, "--months", "1")
    settings = small / "config" / "settings.toml"
    settings.write_text(settings.read_text().replace("min_trades = 10", "min_trades = 11"))
    assert told(small, out, "--months", "1")["taken_over"] == 0
    assert len(out.read_text().splitlines()) == 2


@thorough
def test_ctrl_c_keeps_finished_months_and_ends_every_process(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "months.jsonl"
    process = subprocess.Popen(
        command(out, "--months", "50", "--workers", "2"), cwd=small, env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )
    deadline = time.monotonic() + 120
    while not (out.exists() and out.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.2)
    workers = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    facts = last_line(stdout)
    assert process.returncode == 1, stderr
    assert facts["partial"] and 1 <= facts["months"] < 50
    assert len(out.read_text().splitlines()) == facts["months"]
    assert len(workers) == 2
    assert [pid for pid in workers if os.path.exists(f"/proc/{pid}")] == []
