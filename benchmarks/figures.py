"""What the measurements say: figures of an engine, agreement of the two paths, targets met or missed. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CERTIFIED, FAST, PEER = "certified", "fast", "backtesting"
PLAIN, COMPILED = "plain", "compiled"
# An engine on the compiled core is a row of its own, by this name.
ON_COMPILED = {CERTIFIED: "certified-compiled", FAST: "fast-compiled"}
# Peak of all processes together, for the larger number of symbols.
MEMORY_MIB_MAX = 600.0
# From a slot to its signals, at the median.
LIVE_MS_MAX = 50.0
# The peer is one busy thread: on idle cores its wall time is its CPU time. Beyond this share of waiting, others worked.
WAITING_MAX = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and range of several runs."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median=statistics.median(values), low=min(values), high=max(values))

    def as_dict(self) -> dict[str, float]:
        return {"median": self.median, "min": self.low, "max": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One engine on one number of symbols. Seconds; MiB; `ratio` is bars/s over the peer's of the same round."""

    engine: str
    symbols: int
    bars: int
    bars_per_second: Spread
    wall: Spread
    cpu: Spread
    peak_mib: float | None
    trades: int
    final_value: float
    ratio: Spread | None
    facts: Mapping[str, Any]

    @property
    def core(self) -> str:
        """Which core it ran on; empty for the library."""
        return "" if self.engine == PEER else COMPILED if self.engine in ON_COMPILED.values() else PLAIN

    def as_dict(self) -> dict[str, Any]:
        return {
            "core": self.core,
            "bars": self.bars, "bars_per_second": self.bars_per_second.as_dict(), "wall_seconds": self.wall.as_dict(),
            "cpu_seconds": self.cpu.as_dict(), "peak_mib": self.peak_mib, "trades": self.trades,
            "final_value": self.final_value, "ratio_to_backtesting": self.ratio.as_dict() if self.ratio else None,
            **{name: self.facts[name] for name in ("equity_hash", "fills_count", "faults") if name in self.facts},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of what was wanted and what came out; `got` None where it was not measured."""

    what: str
    wanted: str
    got: str | None
    reached: bool | None

    def as_dict(self) -> dict[str, Any]:
        return {"what": self.what, "wanted": self.wanted, "got": self.got, "reached": self.reached}


def figures_of(engine: str, symbols: int, rounds: Sequence[Mapping[str, Mapping[str, Any]]]) -> Figures:
    """Figures of one engine from all rounds; a round maps each engine to its run's facts.

    Raises SystemExit when the rounds of one engine differ in what they computed.
    """
    runs = [each[engine] for each in rounds]
    first = runs[0]
    for run in runs[1:]:
        for name in ("trades", "final_value", "bars", "equity_hash", "fills_hash"):
            if run.get(name) != first.get(name):
                raise SystemExit(f"{engine} on {symbols} symbols gave another {name} when run again: {first} and {run}")
    peaks = [run["peak_mib"] for run in runs if run["peak_mib"] is not None]
    ratios = [each[PEER]["wall"] / each[engine]["wall"] for each in rounds if PEER in each and engine != PEER]
    return Figures(
        engine=engine, symbols=symbols, bars=first["bars"],
        bars_per_second=Spread.of([run["bars"] / run["wall"] for run in runs]),
        wall=Spread.of([run["wall"] for run in runs]), cpu=Spread.of([run["cpu"] for run in runs]),
        peak_mib=max(peaks, default=None), trades=first["trades"], final_value=first["final_value"],
        ratio=Spread.of(ratios) if ratios else None, facts=first,
    )


def waiting(rounds: Iterable[Mapping[str, Mapping[str, Any]]]) -> float:
    """The largest share of a peer's run in which it was kept from a core by other work, 0 to 1."""
    peers = [each[PEER] for each in rounds if PEER in each]
    return max((1 - run["cpu"] / run["wall"] for run in peers if run["wall"] > 0), default=0.0)


def difference(
    certified: Mapping[str, Any], fast: Mapping[str, Any], names: tuple[str, str] = (CERTIFIED, FAST)
) -> str:
    """The first thing in which two runs differ, as a sentence; empty when they agree to the last fill."""
    ours, theirs = certified["fills"], fast["fills"]
    first, second = names
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"fill {number + 1} is {one} {first} and {other} {second}"
    if len(ours) != len(theirs):
        return f"{first} has {len(ours):,} fills and {second} {len(theirs):,}"
    for name in ("equity_hash", "final_value", "trades"):
        if certified[name] != fast[name]:
            return f"the fills agree but {name} is {certified[name]} {first} and {fast[name]} {second}"
    return ""


def targets(table: Mapping[tuple[str, int], Figures], live_ms: Mapping[str, float]) -> list[Target]:
    """The wanted speeds, memory and reaction time, judged on medians, on the compiled core's rows where there are any.
    `live_ms` has a median for each strategy."""
    found = [
        _speed(_judged(table, engine, symbols), engine, symbols, wanted)
        for engine, symbols, wanted in ((CERTIFIED, 1, 1.0), (CERTIFIED, 10, 2.0), (FAST, 10, 3.0))
    ]
    for engine in (CERTIFIED, FAST):
        peak = (figures := _judged(table, engine, 10)) and figures.peak_mib
        found.append(
            Target(
                what=f"memory, {engine}, 10 symbols{_core(figures)}", wanted=f"< {MEMORY_MIB_MAX:.0f} MiB",
                got=f"{peak:.0f} MiB" if peak else None, reached=peak < MEMORY_MIB_MAX if peak else None,
            )
        )
    for name, median in live_ms.items():
        found.append(
            Target(
                what=f"live step, {name}", wanted=f"< {LIVE_MS_MAX:.0f} ms", got=f"{median:.2f} ms",
                reached=median < LIVE_MS_MAX,
            )
        )
    return found


def _judged(table: Mapping[tuple[str, int], Figures], engine: str, symbols: int) -> Figures | None:
    return table.get((ON_COMPILED[engine], symbols)) or table.get((engine, symbols))


def _core(figures: Figures | None) -> str:
    return ", compiled" if figures and figures.core == COMPILED else ""


def _speed(figures: Figures | None, engine: str, symbols: int, wanted: float) -> Target:
    ratio = figures.ratio.median if figures and figures.ratio else None
    return Target(
        what=f"speed, {engine}, {symbols} symbol{'s' if symbols > 1 else ''}{_core(figures)}",
        wanted=f">= {wanted:.1f} x backtesting",
        got=f"{ratio:.2f} x" if ratio is not None else None, reached=ratio >= wanted if ratio is not None else None,
    )
