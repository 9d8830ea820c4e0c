"""`brain biases` as a person or a program meets it: findings, exit codes, and unknown said aloud."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from deployments.cli.biases import biases as biases_command
from deployments.cli.main import app
from shell.backtest.biases.probe import CHECKS
from shell.market.aggregate import aggregate
from shell.market.bars import Tier
from shell.market.synthetic import synthetic_market
from tests.shell.backtest.biases_stage import HONEST_HOURLY, SILENT

START = datetime(2023, 3, 1, tzinfo=UTC)
DAYS = 6

# The command alone: before any command `brain` itself hardens its process, which a test's process is not to be.
alone = typer.Typer()
alone.command()(biases_command)


@pytest.fixture(scope="module")
def candles() -> pl.DataFrame:
    return synthetic_market(3, ["BTC/USD"], START, DAYS).m5["BTC/USD"]


def folder(path: Path, candles: pl.DataFrame, *, hours_late: int | None = None) -> Path:
    """A data folder; with `hours_late`, hourly candles besides, their times that much too late."""
    candles.write_parquet(path / "BTC-USD_5m.parquet")
    if hours_late is not None:
        hours = aggregate(candles, Tier.H1).with_columns(pl.col("timestamp") + timedelta(hours=hours_late))
        hours.write_parquet(path / "BTC-USD_1h.parquet")
    return path


def biases(data: Path, code: str, *more: str) -> Result:
    file = data / "strategy.py"
    file.write_text(code)
    return CliRunner().invoke(alone, ["--strategy", str(file), "--data", str(data), *more])


def facts_of(done: Result) -> dict[str, Any]:
    facts = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(facts, dict)
    return facts


def test_an_honest_strategy_in_its_own_process_shows_no_bias(tmp_path: Path, candles: pl.DataFrame) -> None:
    done = biases(folder(tmp_path, candles, hours_late=0), HONEST_HOURLY, "--start", "2023-03-03", "--json")
    assert done.exit_code == 0, done.output
    facts = facts_of(done)
    verdicts = {finding["check"]: finding["verdict"] for finding in facts["findings"]}
    assert tuple(verdicts) == CHECKS
    # A few days are too short for the two checks that count trades and days; that makes the whole unknown, not clean.
    assert {check for check, verdict in verdicts.items() if verdict != "clean"} <= {"one_bar_lag", "replaced_future"}
    assert facts["verdict"] == "unknown"
    assert facts["signals"] >= 5
    assert all(finding["sentence"] and isinstance(finding["evidence"], dict) for finding in facts["findings"])


def test_a_folder_whose_hours_are_named_by_their_close_fails_with_exit_code_1(
    tmp_path: Path, candles: pl.DataFrame
) -> None:
    done = biases(folder(tmp_path, candles, hours_late=1), SILENT, "--json")
    assert done.exit_code == 1
    facts = facts_of(done)
    assert facts["verdict"] == "biased"
    tiers = next(finding for finding in facts["findings"] if finding["check"] == "higher_tiers")
    assert "of the closes" in tiers["sentence"]


def test_a_strategy_without_signals_is_no_pass_and_a_person_is_told_so(tmp_path: Path, candles: pl.DataFrame) -> None:
    done = biases(folder(tmp_path, candles), SILENT)
    assert done.exit_code == 0
    shown = " ".join(done.output.split())
    assert "unknown" in shown
    assert f"{len(CHECKS) - 1} of {len(CHECKS)} checks could not be made: that is no pass." in shown


def test_a_refused_strategy_is_refused_before_anything_runs(tmp_path: Path, candles: pl.DataFrame) -> None:
    done = biases(folder(tmp_path, candles), "import os\n", "--json")
    assert done.exit_code == 1
    assert "os" in facts_of(done)["findings"][0]


def test_brain_knows_the_command() -> None:
    done = CliRunner().invoke(app, ["biases", "--help"])
    assert done.exit_code == 0
    assert "Exit code 1 when something is biased" in " ".join(done.output.split())
