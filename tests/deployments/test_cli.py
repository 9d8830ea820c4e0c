"""The brain command as a person or a program meets it: exit codes, one JSON object last, sentences for mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from deployments.cli.main import app
from shell.market.synthetic import synthetic_market

START = datetime(2023, 3, 1, tzinfo=UTC)


def brain(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deployments.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=cwd, check=False)


def here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which has loaded by now what takes a fresh one seconds."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess([*map(str, arguments)], done.exit_code, done.stdout, done.stderr)


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object of a command: the last line of stdout, and the only one that is JSON."""
    lines = done.stdout.strip().splitlines()
    facts = json.loads(lines[-1])
    assert isinstance(facts, dict), done.stdout
    assert not any(line.startswith("{") for line in lines[:-1])
    return facts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for symbol, frame in synthetic_market(3, ["BTC/USD", "ETH/USD"], START, 20).m5.items():
        frame.write_parquet(folder / f"{symbol.replace('/', '-')}_5m.parquet")
    return folder


@pytest.fixture(scope="module")
def readme_strategy(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Path:
    """The strategy that README shows, as it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", (project / "README.md").read_text(), flags=re.DOTALL)
    file = tmp_path_factory.mktemp("strategy") / "readme.py"
    file.write_text(blocks[0])
    return file


def test_a_backtest_answers_with_every_figure_and_fills_at_the_open_of_a_later_bar(
    data: Path, readme_strategy: Path
) -> None:
    done = brain(
        "backtest", "--strategy", readme_strategy, "--data", data, "--symbols", "BTC-USD", "--slippage", "0", "--json",
        "--start", "2023-03-06",
    )
    assert done.returncode == 0, done.stderr
    facts = answer(done)
    assert {"metrics", "fills", "trades", "final_value", "equity_hash", "bars", "steps", "seconds", "bars_per_second",
            "certified"} <= facts.keys()
    assert {"total_return_pct", "max_drawdown_pct", "sharpe", "trades", "fees"} <= facts["metrics"].keys()
    opens = {
        row["timestamp"]: row["open"] for row in pl.read_parquet(data / "BTC-USD_5m.parquet").iter_rows(named=True)
    }
    bought = [fill for fill in facts["fills"] if fill["side"] == "buy"]
    assert bought
    for fill in bought:
        assert float(fill["price"]) == opens[datetime.fromisoformat(fill["timestamp"])]


def test_the_strategy_of_the_readme_passes_the_sandbox(readme_strategy: Path) -> None:
    done = brain("sandbox", readme_strategy, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    facts = answer(done)
    assert facts["verdict"] == "passed"
    assert facts["isolation"]["seccomp"] is (facts["isolation_gap"] == "")


def test_a_strategy_that_reaches_for_the_system_is_refused_with_its_line(tmp_path: Path, data: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("import os\n\n\nclass Strategy:\n    pass\n")
    for command in (["sandbox", file], ["backtest", "--strategy", file, "--data", data]):
        done = brain(*command, "--json")
        assert done.returncode == 1
        assert "os" in json.dumps(answer(done))
    assert answer(brain("sandbox", file, "--json"))["errors"][0]["line"] == 1


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        (["--data", "{empty}"], 1, "holds no"),
        (["--data", "{missing}"], 1, "does not exist"),
        (["--data", "{data}", "--symbols", "XYZ-USD"], 1, "has no candles of XYZ-USD"),
        (["--data", "{data}", "--start", "2023-03-10", "--end", "2023-03-05"], 2, "is empty"),
        (["--data", "{data}", "--start", "yesterday"], 2, "is not a date"),
        (["--data", "{data}", "--cash", "-5"], 2, "out of range"),
        (["--data", "{data}", "--fee-taker", "4"], 2, "0.004 is 0.40 %"),
        (["--data", "{data}", "--risk-limits", "{limits}"], 1, "max_trade_pct"),
        (["--data", "{shape}"], 1, "lacks timestamp"),
    ],
    ids=["empty folder", "no folder", "unknown symbol", "reversed dates", "no date", "negative balance", "fee of 400 %",
         "limits above 1", "a CSV of another shape"],
)
def test_bad_input_gets_a_sentence_and_an_exit_code(
    extra: list[str], code: int, words: str, data: Path, tmp_path: Path, readme_strategy: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "shape").mkdir()
    (tmp_path / "shape" / "BTC-USD_5m.csv").write_text("date;price\n2023-01-01;1\n")
    (tmp_path / "limits.toml").write_text("max_trade_pct = 1.5\n")
    places = {
        "empty": tmp_path / "empty", "missing": tmp_path / "nowhere", "data": data, "shape": tmp_path / "shape",
        "limits": tmp_path / "limits.toml",
    }
    done = brain("backtest", "--strategy", readme_strategy, *[text.format(**places) for text in extra], "--json")
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert words.lower() in " ".join(done.stderr.split()).lower()
    assert "error" in answer(done)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise ValueError('no')", "ValueError"),
        ("while True: pass", "did not answer"),
        ("return [1, 2]", "shell.contract.Signal"),
        ("return [Signal('BTC/USD', Action.BUY, float('nan'))]", "finite"),
    ],
    ids=["raises", "hangs", "nonsense", "not a number"],
)
def test_a_broken_strategy_is_named_as_such(
    body: str, words: str, tmp_path: Path, readme_strategy: Path
) -> None:
    source = readme_strategy.read_text()
    file = tmp_path / "broken.py"
    file.write_text(source.replace("        held = {", f"        {body}\n        held = {{"))
    from shell.config import HostConfig, RiskConfig
    from shell.host.port import StrategySource
    from shell.host.sandbox import run_sandbox
    from shell.risk.limits import limits_view

    quick = HostConfig(call_timeout=timedelta(seconds=2))
    report = run_sandbox(
        StrategySource(code=file.read_text()), policy=True, config=quick, limits=limits_view(RiskConfig()), seed=0
    )
    assert report.verdict.value != "passed"
    assert words in " ".join(str(error["message"]) for error in report.errors)


def test_data_comes_in_once_and_is_checked(data: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    first = answer(here("data", "import", data, "--home", home, "--json"))
    again = answer(here("data", "import", data, "--home", home, "--json"))
    assert sum(each["added"] for each in first["files"]) > 0
    assert sum(each["added"] for each in again["files"]) == 0
    holed = tmp_path / "holed"
    holed.mkdir()
    frame = pl.read_parquet(data / "BTC-USD_5m.parquet")
    pl.concat([frame.head(100), frame.slice(116)]).write_parquet(holed / "BTC-USD_5m.parquet")
    facts = answer(here("data", "check", holed, "--json"))
    assert [gap["bars"] for gap in facts["series"][0]["gaps"]] == [16]
    assert facts["segments"] is None
    assert "20 whole days of history" in facts["segments_refusal"]
    assert "promoted" in facts["segments_refusal"]
    assert facts["ledger"] is None
    stored = answer(here("data", "check", "--home", home, "--json"))
    assert (stored["segments"], stored["budget"]) == (None, None)
    assert stored["ledger"]["whole"] is True


def test_a_home_in_which_nothing_ran_says_so(tmp_path: Path) -> None:
    for command in (["status"], ["report"], ["night", "list"], ["strategy", "list"]):
        done = here(*command, "--home", tmp_path, "--json")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "error" in answer(done)


def test_a_kill_is_shown_by_status_until_it_is_lifted(tmp_path: Path) -> None:
    assert here("kill", "--home", tmp_path, "--reason", "a test").returncode == 0
    assert answer(here("status", "--home", tmp_path, "--json"))["halted"] == ["KILL_SWITCH"]
    assert answer(here("resume", "kill_switch", "--home", tmp_path, "--json"))["halted"] == []
    again = here("resume", "KILL_SWITCH", "--home", tmp_path)
    assert again.returncode == 1
    assert here("resume", "NONSENSE", "--home", tmp_path).returncode == 2


def test_every_command_has_help() -> None:
    for command in (
        [], ["rehearse"], ["backtest"], ["sandbox"], ["run"], ["status"], ["kill"], ["resume"], ["report"], ["data", "import"],
        ["data", "check"], ["strategy", "list"], ["strategy", "show"], ["strategy", "diff"], ["strategy", "submit"],
        ["strategy", "rollback"], ["night", "list"], ["certificate"],
    ):
        shown = CliRunner().invoke(app, [*command, "--help"])
        assert shown.exit_code == 0, command
        assert "Usage" in shown.output
