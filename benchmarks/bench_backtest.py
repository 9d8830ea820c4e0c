"""Bars a second against the `backtesting` library, the time of a live step, and whether fast and certified runs agree.

    python benchmarks/bench_backtest.py [--days 365] [--symbols 1,10] [--averages 9,21] [--repeat 5] [--seed 1] [--json]

Every engine gets the same seeded synthetic 5-minute bars, a 0.40 % taker fee and no slippage. Engines take turns, each run
in a fresh process, so that a machine that changes its speed hits all of them. Where `make compiled` was run on these sources,
ours run on that core, too. Exit code 1 when a fast run and a certified one, or two cores, differ in a single fill;
missed speed targets are told, not punished. `docs/benchmarks.md` says how to read it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from figures import CERTIFIED, COMPILED, FAST, ON_COMPILED, PEER, PLAIN, Figures, difference, figures_of, targets, waiting
from measure import KEPT_FILE, file_name
from processes import run_script
from report import show
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from workload import AVERAGES, SEED, SYMBOLS, YEAR_DAYS, market

HERE = Path(__file__).resolve().parent
REPEAT = 5
# Columns where there is no terminal to ask.
WIDTH = 140
LIVE_STEPS = 200

# Rounds by number of symbols; a round holds the facts of one run of each engine.
Rounds = Mapping[int, Sequence[Mapping[str, Mapping[str, Any]]]]


def main() -> None:
    arguments = _arguments()
    begun, facts = time.perf_counter(), machine()
    ours = [CERTIFIED, *([FAST] if fast_path_exists() else [])]
    aside = Console(stderr=True, highlight=False)
    tree = compiled_tree(aside)
    engines = [*ours, *((ON_COMPILED[engine] for engine in ours) if tree else ()), PEER]
    with tempfile.TemporaryDirectory(prefix="brain-bench-") as name, _progress(aside) as progress:
        folder = Path(name)
        write_bars(folder, arguments.days, max(arguments.symbols), arguments.seed)
        rounds = measure(folder, engines, arguments.symbols, arguments.averages, arguments.repeat, progress, tree)
        agreement = agreements(folder, arguments.symbols, engines)
    table = {
        (engine, symbols): figures_of(engine, symbols, rounds[symbols]) for symbols in arguments.symbols for engine in engines
    }
    live = live_step(arguments.live_steps, max(arguments.symbols), arguments.seed) if arguments.live_steps else {}
    medians = {name: each["median_ms"] for name, each in live.get("strategies", {}).items()}
    report = {
        "machine": {**facts, "load_after": _load()}, "days": arguments.days, "seed": arguments.seed,
        "averages": arguments.averages,
        "repeat": arguments.repeat, "waiting": waiting(each for count in arguments.symbols for each in rounds[count]),
        "engines": as_dict(table), "live_step": live,
        "agreement": {str(symbols): not found for symbols, found in agreement.items()},
        "differences": {str(symbols): found for symbols, found in agreement.items() if found},
        "targets": [target.as_dict() for target in targets(table, medians)], "seconds": time.perf_counter() - begun,
    }
    out = sys.stderr if arguments.json else sys.stdout
    console = Console(file=out, width=None if out.isatty() else WIDTH, highlight=False)
    show(console, report, list(table.values()))
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")
    sys.exit(1 if report["differences"] else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=YEAR_DAYS, help="days of 5-minute bars, 2 to 3650")
    parser.add_argument("--symbols", type=_symbols, default=(1, 10), help=f"numbers of symbols, each 1 to {len(SYMBOLS)}: 1,10")
    parser.add_argument("--averages", type=_averages, default=AVERAGES, help="bars of the two averages: slower ones trade less")
    parser.add_argument("--repeat", type=int, default=REPEAT, help="measured runs of each engine")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the synthetic market")
    parser.add_argument("--live-steps", type=int, default=LIVE_STEPS, help="live steps measured, 13 to 2000; 0: none")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout, the rest on stderr")
    arguments = parser.parse_args()
    if not 2 <= arguments.days <= 3650 or arguments.repeat < 1:
        parser.error("--days must be 2 to 3650 and --repeat at least 1")
    return arguments


def _symbols(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        counts = ()
    if not counts or not all(1 <= count <= len(SYMBOLS) for count in counts):
        raise argparse.ArgumentTypeError(f"whole numbers from 1 to {len(SYMBOLS)} are needed, such as 1,10, not {text!r}")
    return counts


def _averages(text: str) -> tuple[int, int]:
    try:
        fast, slow = (int(part) for part in text.split(","))
    except ValueError:
        fast, slow = 0, 0
    if not 1 <= fast < slow <= YEAR_DAYS:
        raise argparse.ArgumentTypeError(f"two whole numbers are needed, the smaller first, such as 9,21, not {text!r}")
    return fast, slow


def fast_path_exists() -> bool:
    """True once there is a fast path to measure."""
    return importlib.util.find_spec("shell.backtest.fast") is not None


def compiled_tree(aside: Console) -> Path | None:
    """The compiled core of these sources; None, and a word about it, where there is none to measure."""
    from shell.compiled import find_tree

    tree = find_tree()
    if tree.path is None:
        aside.print(f"no rows of the compiled core: {tree.reason} (make compiled)", soft_wrap=True)
    return tree.path


def write_bars(folder: Path, days: int, symbols: int, seed: int) -> None:
    """Invent the bars once; every measured process only reads them."""
    from shell.market.frames import rows_of

    for symbol, frame in market(days, symbols, seed).m5.items():
        np.save(folder / file_name(symbol), rows_of(frame).T)


def measure(
    folder: Path, engines: Sequence[str], symbols: Sequence[int], averages: tuple[int, int], repeat: int, progress: Progress,
    tree: Path | None = None,
) -> Rounds:
    """Run the engines in turn, `repeat` times; those of the compiled core with `tree`."""
    plain = {name: engine for engine, name in ON_COMPILED.items()}
    rounds: dict[int, list[dict[str, dict[str, Any]]]] = {count: [] for count in symbols}
    task = progress.add_task("", total=repeat * len(symbols) * len(engines))
    for number in range(repeat):
        for count in symbols:
            found = {}
            # Who begins changes every round, so that no engine always runs behind the same other one.
            for engine in (*engines[number % len(engines) :], *engines[: number % len(engines)]):
                progress.update(task, description=f"round {number + 1}: {engine}, {count} symbols", refresh=True)
                answer = run_script(
                    HERE / "measure.py", plain.get(engine, engine), str(folder), str(count), "{},{}".format(*averages),
                    *([str(tree)] if engine in plain else []),
                )
                expected = None if engine == PEER else COMPILED if engine in plain else PLAIN
                if answer.facts.get("core") != expected:
                    raise SystemExit(f"{engine} ran on the {answer.facts.get('core')} core")
                found[engine] = {**answer.facts, "peak_mib": answer.peak_mib}
                progress.update(task, advance=1, refresh=True)
            rounds[count].append(found)
    return rounds


def agreements(folder: Path, symbols: Sequence[int], engines: Sequence[str]) -> dict[int, str]:
    """For each number of symbols the first difference between a certified run and any other of ours, empty when there is
    none; nothing where the certified run is the only one."""
    others = [engine for engine in engines if engine not in (CERTIFIED, PEER)]
    found = {}
    for count in symbols if others else ():
        kept = {name: _kept(folder / KEPT_FILE.format(engine=name, symbols=count)) for name in (CERTIFIED, *others)}
        told = (difference(kept[CERTIFIED], kept[name], (CERTIFIED, name)) for name in others)
        found[count] = next(filter(None, told), "")
    return found


def _kept(path: Path) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def live_step(steps: int, symbols: int, seed: int) -> dict[str, Any]:
    """The milliseconds from a slot to its signals, measured in a process of its own."""
    options = ("--steps", steps, "--symbols", symbols, "--seed", seed, "--json")
    return run_script(HERE / "live_step.py", *map(str, options)).facts


def as_dict(table: Mapping[tuple[str, int], Figures]) -> dict[str, dict[str, Any]]:
    """Figures by engine and number of symbols."""
    found: dict[str, dict[str, Any]] = {}
    for (engine, symbols), figures in table.items():
        found.setdefault(engine, {})[str(symbols)] = figures.as_dict()
    return found


def machine() -> dict[str, Any]:
    """Where this ran, and how busy it was before: other work on the cores makes every figure smaller."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "cpu": model, "cores": os.cpu_count(), "system": platform.system(), "machine": platform.machine(),
        "python": platform.python_version(), "load_before": _load(),
    }


def _load() -> float:
    return round(os.getloadavg()[0], 2)


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    # Drawn only between runs: a thread that repaints would take time from what is measured.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        yield progress


if __name__ == "__main__":
    main()
