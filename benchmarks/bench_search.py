"""The search beside a random search with the same budget, on markets with a planted edge and on markets without one.

    python benchmarks/bench_search.py [--nights 4] [--markets 3] [--seed 1] [--json]

A look costs the part of the search window that it covers, so both arms spend the same. What counts is the selection score of
what they propose: on the planted edge it should be high, on the null market near zero however good the search score looks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

KINDS = ("planted-edge", "martingale")
ARM_NAMES = ("search", "random")
WIDTH = 132
NOTES = """\
Daily Sharpe ratios, means over the markets. Best search: the highest among the candidates, on the days they were chosen by;
selection: the same candidate on days no search has seen. The gap between the two is what choosing the best has bought."""


def main() -> None:
    arguments = _arguments()
    begun = time.perf_counter()
    tasks = [
        (arm, kind, arguments.seed + number, arguments.nights)
        for kind in KINDS for number in range(arguments.markets) for arm in ARM_NAMES
    ]
    # Executed anew, not forked: polars does not survive a fork.
    with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        spent = list(pool.map(_spend, tasks))
    rows = [{"arm": task[0], "market": task[1], "seed": task[2], **each} for task, each in zip(tasks, spent, strict=True)]
    report = {
        "nights": arguments.nights, "markets": arguments.markets, "seed": arguments.seed, "arms": summary(rows), "runs": rows,
        "seconds": round(time.perf_counter() - begun, 1),
    }
    out = sys.stderr if arguments.json else sys.stdout
    show(Console(file=out, width=None if out.isatty() else WIDTH, highlight=False), report)
    if arguments.json:
        sys.stdout.write(json.dumps(report) + "\n")


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an arm and kind of market: looks and candidates a market, and the means of what there is."""
    found = []
    for kind in KINDS:
        for arm in ARM_NAMES:
            own = [row for row in rows if (row["market"], row["arm"]) == (kind, arm)]
            values = {
                key: [row[key] for row in own if row[key] is not None] for key in ("best_search", "selection", "selection_mean")
            }
            found.append({
                "market": kind, "arm": arm, "looks": fmean(row["looks"] for row in own),
                "trials": fmean(row["trials"] for row in own),
                **{key: fmean(each) if each else None for key, each in values.items()},
            })
    return found


def show(console: Console, report: dict[str, Any]) -> None:
    """The table for people."""
    table = Table(
        title=f"Search beside chance, the same budget: {report['markets']} markets of a kind, {report['nights']} nights each "
        f"({report['seconds']:.0f} s)", title_justify="left", title_style="bold", box=None, header_style="dim", pad_edge=False,
    )
    table.add_column("market", no_wrap=True)
    table.add_column("arm", no_wrap=True)
    for name in ("full looks", "candidates", "best search", "selection", "selection, all"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["arms"]:
        table.add_row(
            row["market"], row["arm"], f"{row['looks']:.1f}", f"{row['trials']:.1f}",
            *("-" if row[key] is None else f"{row[key]:+.3f}" for key in ("best_search", "selection", "selection_mean")),
        )
    console.print(table)
    console.print(NOTES, style="dim", soft_wrap=True)


def _spend(task: tuple[str, str, int, int]) -> dict[str, Any]:
    from search_arms import spend

    return asdict(spend(*task))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=4, help="nights of search on each market")
    parser.add_argument("--markets", type=int, default=3, help="markets of each kind")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first market")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout, the rest on stderr")
    arguments = parser.parse_args()
    if arguments.nights < 1 or arguments.markets < 1:
        parser.error("--nights and --markets must be at least 1")
    return arguments


if __name__ == "__main__":
    main()
