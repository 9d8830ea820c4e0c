"""`brain search` and `brain walk-forward` as a person or a program meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.market.synthetic import synthetic_market
from tests.deployments.test_cli import answer, brain
from tests.shell.backtest.test_search import HOLDER
from tests.shell.scripted import START
from tests.thorough import thorough


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for symbol, frame in synthetic_market(3, ["BTC/USD"], START, 3).m5.items():
        frame.write_parquet(folder / f"{symbol.replace('/', '-')}_5m.parquet")
    return folder


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("strategy") / "holder.py"
    file.write_text(HOLDER)
    return file


def test_a_search_says_what_was_tried_what_is_luck_and_that_it_is_no_evidence(data: Path, holder: Path) -> None:
    done = brain("search", "--strategy", holder, "--data", data, "--trials", "3", "--seed", "5", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    facts = answer(done)
    assert facts["trials"][0]["parameters"] == {"parts": 1, "after": 0.1}
    assert (len(facts["trials"]), facts["tried"], facts["combinations"], facts["workers"]) == (3, 3, 15, 2)
    assert all({"total_return_pct", "sharpe", "trades"} <= trial["metrics"].keys() for trial in facts["trials"])
    best = facts["best"]
    assert facts["trials"][best["trial"]] == {key: best[key] for key in ("parameters", "metrics", "error")}
    assert 0 <= facts["deflated_sharpe_ratio"] <= 1
    assert facts["recorded"] is False
    assert "not evidence" in json.dumps(facts["notes"])
    assert "3 settings were tried" in facts["notes"][0]


@thorough
def test_a_walk_forward_answers_with_its_windows_and_all_tests_together(data: Path, holder: Path) -> None:
    arguments = ["--strategy", holder, "--data", data, "--train-days", "1", "--test-days", "1", "--trials", "2", "--workers", "2"]
    done = brain("walk-forward", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    facts = answer(done)
    days = [f"2023-03-{day:02d}T00:00:00+00:00" for day in range(1, 5)]
    assert [(each["train"]["start"], each["train"]["end"]) for each in facts["windows"]] == list(zip(days[:2], days[1:3], strict=True))
    assert [(each["test"]["start"], each["test"]["end"]) for each in facts["windows"]] == list(zip(days[1:3], days[2:], strict=True))
    growth = 1.0
    for each in facts["windows"]:
        assert each["parameters"].keys() == {"parts", "after"}
        growth *= 1 + each["metrics"]["total_return_pct"]
    assert facts["combined"]["total_return_pct"] == pytest.approx(growth - 1)
    assert facts["combined"]["days"] == 2


@pytest.mark.parametrize(
    ("command", "extra", "code", "words"),
    [
        ("search", ["--workers", "0"], 2, "0 workers are out of range"),
        ("search", ["--trials", "0"], 1, "0 trials are out of range"),
        ("search", ["--strategy", "{bare}"], 1, "bare.py declares no parameters"),
        ("search", ["--strategy", "{bad}"], 1, "os"),
        ("walk-forward", ["--train-days", "9"], 1, "do not fit between"),
    ],
    ids=["no workers", "no trials", "nothing to vary", "a refused strategy", "too few days"],
)
def test_what_makes_no_sense_gets_a_sentence(
    command: str, extra: list[str], code: int, words: str, data: Path, holder: Path, tmp_path: Path
) -> None:
    bare, bad = tmp_path / "bare.py", tmp_path / "bad.py"
    bare.write_text(HOLDER.replace("PARAMETERS", "NUMBERS"))
    bad.write_text("import os\n" + HOLDER)
    named = [text.format(bare=bare, bad=bad) for text in extra]
    done = CliRunner().invoke(app, [command, "--strategy", str(holder), "--data", str(data), *named, "--json"])
    assert done.exit_code == code, done.output
    assert words in json.loads(done.stdout.splitlines()[-1])["error"]
