"""The benchmarks run on the tree as it is, compare like with like, and tell when something does not agree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figures, Spread, difference, figures_of, targets, waiting
from benchmarks.processes import run_script
from tests.thorough import thorough

DAYS, SYMBOLS, LIVE_STEPS = 4, 2, 13
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def report(project: Path) -> dict[str, Any]:
    """What a short run of everything prints."""
    options = ("--days", DAYS, "--symbols", SYMBOLS, "--repeat", 1, "--live-steps", LIVE_STEPS, "--json")
    return run_script(project / "benchmarks" / "bench_backtest.py", *map(str, options)).facts


def test_both_engines_make_the_same_trades_of_the_same_bars(report: dict[str, Any]) -> None:
    ours, peer = (report["engines"][engine][str(SYMBOLS)] for engine in ("certified", "backtesting"))
    assert ours["bars"] == peer["bars"] == DAYS * 288 * SYMBOLS
    assert ours["trades"] == peer["trades"] > 10
    assert ours["faults"] == 0
    # The peer has a full account a symbol, so only what was lost can be compared, and only roughly.
    assert 1_000_000 - ours["final_value"] == pytest.approx(SYMBOLS * 1_000_000 - peer["final_value"], rel=0.1)


def test_every_engine_has_its_figures(report: dict[str, Any]) -> None:
    for engine, by_symbols in report["engines"].items():
        figures = by_symbols[str(SYMBOLS)]
        assert figures["bars_per_second"]["median"] == pytest.approx(figures["bars"] / figures["wall_seconds"]["median"])
        assert figures["cpu_seconds"]["median"] > 0
        assert (figures["ratio_to_backtesting"] is None) == (engine == "backtesting")


@LINUX
def test_memory_of_our_two_processes_is_more_than_of_one(report: dict[str, Any]) -> None:
    assert report["engines"]["certified"][str(SYMBOLS)]["peak_mib"] > 100


def test_fast_and_certified_agree_where_there_are_both(report: dict[str, Any]) -> None:
    if "fast" not in report["engines"]:
        pytest.skip("there is no fast path")
    assert report["agreement"] == {str(SYMBOLS): True}
    assert report["differences"] == {}


def test_every_row_of_ours_tells_its_core(report: dict[str, Any]) -> None:
    cores = {name: each[str(SYMBOLS)]["core"] for name, each in report["engines"].items()}
    assert cores["certified"] == cores["fast"] == "plain"
    assert cores["backtesting"] == ""
    assert {name for name, core in cores.items() if core == "compiled"} in (set(), {"certified-compiled", "fast-compiled"})


def test_live_steps_see_full_windows(report: dict[str, Any]) -> None:
    for timing in report["live_step"]["strategies"].values():
        assert timing["windows"] == {"5m": 8640, "1h": 8760, "1d": 2555}
        assert (timing["steps"], timing["faults"]) == (LIVE_STEPS, 0)
        assert 0 < timing["scan"]["median_ms"] <= timing["median_ms"] <= timing["p95_ms"] <= timing["max_ms"]


@thorough
def test_the_profile_tells_both_processes_apart(project: Path) -> None:
    command = [sys.executable, str(project / "benchmarks" / "profile_backtest.py"), "--days", "2"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = dict(line.rsplit(maxsplit=1) for line in out.splitlines()[1:] if line.strip())
    seconds = {name.strip(): float(value) for name, value in rows.items() if "CPU s" in name}
    assert set(seconds) == {"CPU s here", "CPU s strategy's process"}
    assert min(seconds.values()) > 0


@LINUX
def test_memory_counts_a_process_and_its_child_together(tmp_path: Path) -> None:
    # Each holds 80 MiB beside the interpreter's 10 or so: two of them cannot be had from one.
    hold = "held = bytearray(80 << 20); import time; time.sleep(0.6)"
    script = tmp_path / "two.py"
    script.write_text(
        f"import subprocess, sys\nchild = subprocess.Popen([sys.executable, '-c', {hold!r}])\n{hold}\nchild.wait()\n"
        "print('{\"done\": true}')\n"
    )
    answer = run_script(script)
    assert answer.facts == {"done": True}
    assert answer.peak_mib is not None
    assert 160 < answer.peak_mib < 240


def test_a_script_that_fails_ends_the_benchmark_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('no bars today')")
    with pytest.raises(SystemExit, match=r"broken.py certified failed \(exit 1\):\nno bars today"):
        run_script(script, "certified")


def run_of(wall: float, **changes: Any) -> dict[str, Any]:
    """Facts of one invented run."""
    return {
        "wall": wall, "cpu": wall, "peak_mib": 100.0, "bars": 1000, "trades": 1, "final_value": 5.0, "equity_hash": "a",
        "fills_hash": "b", "fills": [["09:00", "buy"], ["09:05", "sell"]], **changes,
    }


def test_ratios_compare_runs_of_the_same_round() -> None:
    # The machine is ten times slower in the second round; the engine is twice as fast as the peer in both.
    rounds = [{"certified": run_of(1.0), "backtesting": run_of(2.0)}, {"certified": run_of(10.0), "backtesting": run_of(20.0)}]
    figures = figures_of("certified", 1, rounds)
    assert figures.ratio == Spread(median=2.0, low=2.0, high=2.0)
    assert figures.bars_per_second == Spread(median=550.0, low=100.0, high=1000.0)


def test_a_peer_kept_from_its_core_is_noticed() -> None:
    quiet, busy = run_of(2.0), run_of(2.0, cpu=1.5)
    assert waiting([{"backtesting": quiet}]) == 0.0
    assert waiting([{"backtesting": quiet}, {"backtesting": busy, "certified": run_of(2.0, cpu=0.1)}]) == 0.25


def test_an_engine_that_computes_something_else_when_run_again_is_an_error() -> None:
    with pytest.raises(SystemExit, match="certified on 1 symbols gave another equity_hash"):
        figures_of("certified", 1, [{"certified": run_of(1.0)}, {"certified": run_of(1.0, equity_hash="c")}])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ""),
        ({"fills": [["09:00", "buy"], ["09:10", "sell"]]}, "fill 2 is"),
        ({"fills": [["09:00", "buy"]]}, "certified has 2 fills and fast 1"),
        ({"equity_hash": "c"}, "the fills agree but equity_hash"),
        ({"final_value": 5.01}, "the fills agree but final_value"),
    ],
)
def test_the_first_difference_between_two_paths_is_told(change: dict[str, Any], told: str) -> None:
    found = difference(run_of(1.0), run_of(1.0, **change))
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_targets_are_reached_missed_or_not_measured() -> None:
    def figures(engine: str, ratio: float) -> Figures:
        one = Spread.of([1.0])
        return Figures(
            engine=engine, symbols=10, bars=1000, bars_per_second=one, wall=one, cpu=one, peak_mib=700.0, trades=1,
            final_value=1.0, ratio=Spread.of([ratio]), facts={},
        )

    table = {("certified", 10): figures("certified", 2.0), ("fast", 10): figures("fast", 2.9)}
    judged = {target.what: target.reached for target in targets(table, {"EMA cross": 49.0})}
    assert judged == {
        "speed, certified, 1 symbol": None,
        "speed, certified, 10 symbols": True,
        "speed, fast, 10 symbols": False,
        "memory, certified, 10 symbols": False,
        "memory, fast, 10 symbols": False,
        "live step, EMA cross": True,
    }
    table["certified-compiled", 10] = figures("certified-compiled", 3.5)
    quick = {target.what: target.reached for target in targets(table, {})}
    assert quick["speed, certified, 10 symbols, compiled"] is True
    assert quick["memory, certified, 10 symbols, compiled"] is False
    assert quick["speed, fast, 10 symbols"] is False
    assert [each.core for each in table.values()] == ["plain", "plain", "compiled"]
    assert json.dumps([target.as_dict() for target in targets(table, {})])
