"""All probes over one strategy and one history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shell.backtest.biases.finding import BiasReport, BiasVerdict, Finding
from shell.backtest.biases.lag import CHECK as LAG
from shell.backtest.biases.lag import lag
from shell.backtest.biases.poisoning import CHECK as POISONING
from shell.backtest.biases.poisoning import poisoning
from shell.backtest.biases.replaced import CHECK as REPLACED
from shell.backtest.biases.replaced import replaced
from shell.backtest.biases.restart import REPEATABILITY, RESTART, restart
from shell.backtest.biases.subject import Baseline, HostFactory, Subject, run_baseline
from shell.backtest.biases.tiers import CHECK as TIERS
from shell.backtest.biases.tiers import tiers
from shell.backtest.biases.truncation import CHECK as TRUNCATION
from shell.backtest.biases.truncation import truncation
from shell.backtest.biases.warm_up import CHECK as WARM_UP
from shell.backtest.biases.warm_up import warm_up
from shell.backtest.result import BacktestSettings
from shell.host.port import StrategySource
from shell.host.process import SPARES
from shell.market.history import History

# Each probe's checks, in the order they run and are reported.
PROBES: tuple[tuple[tuple[str, ...], Callable[[Subject, Baseline], Finding | tuple[Finding, ...]]], ...] = (
    ((REPEATABILITY, RESTART), restart),
    ((TRUNCATION,), truncation),
    ((POISONING,), poisoning),
    ((LAG,), lag),
    ((WARM_UP,), warm_up),
    ((TIERS,), tiers),
    ((REPLACED,), replaced),
)
CHECKS = tuple(check for checks, _ in PROBES for check in checks)
# These compare decisions of two runs, which says nothing of a strategy whose runs differ anyway.
COMPARING = frozenset({RESTART, TRUNCATION, POISONING, WARM_UP})
# Says something of the data and the host whatever the strategy does.
WITHOUT_DECISIONS = frozenset({TIERS})

Progress = Callable[[str, int, int], None]


def run_biases(
    source: StrategySource,
    history: History,
    *,
    settings: BacktestSettings,
    start: datetime | None = None,
    end: datetime | None = None,
    make_host: HostFactory | None = None,
    progress: Progress | None = None,
) -> BiasReport:
    """Every probe of `source` over the window; `progress` is told (what runs, probes done, probes in all).

    `make_host` replaces the strategy's process, for tests of hosts. Raises what `run_backtest` raises of the plain run.
    """
    subject = Subject(
        source=source, history=history, settings=settings, start=start, end=end, make_host=make_host
    )
    told = progress or _nothing
    total = len(PROBES) + 1
    findings: list[Finding] = []
    with SPARES.kept():
        told("plain run", 0, total)
        baseline = run_baseline(subject)
        for number, (checks, probe) in enumerate(PROBES, start=1):
            told(checks[-1].replace("_", " "), number, total)
            findings += _probed(subject, baseline, checks, probe)
    told("done", total, total)
    return BiasReport(
        findings=_explained(findings), signals=len(baseline.answers), trades=len(baseline.run.kept.trades),
        start=baseline.result.start, end=baseline.result.end,
    )


def _probed(
    subject: Subject, baseline: Baseline, checks: tuple[str, ...],
    probe: Callable[[Subject, Baseline], Finding | tuple[Finding, ...]],
) -> tuple[Finding, ...]:
    if not baseline.answers and not WITHOUT_DECISIONS.issuperset(checks):
        sentence = "the strategy gave no signal in this window, so there is nothing to compare: use a longer window"
        return tuple(Finding(check=check, verdict=BiasVerdict.UNKNOWN, sentence=sentence) for check in checks)
    found = probe(subject, baseline)
    return found if isinstance(found, tuple) else (found,)


def _explained(findings: list[Finding]) -> tuple[Finding, ...]:
    """Where two runs over the same bars differ, a difference between two others has no other cause to look for."""
    repeatable = next((each.verdict for each in findings if each.check == REPEATABILITY), BiasVerdict.UNKNOWN)
    if repeatable is not BiasVerdict.BIASED:
        return tuple(findings)
    words = "two runs over the very same bars differ, so this difference proves nothing of its own"
    return tuple(
        replace(each, verdict=BiasVerdict.UNKNOWN, sentence=f"{words} ({each.sentence})")
        if each.check in COMPARING and each.verdict is BiasVerdict.BIASED else each
        for each in findings
    )


def _nothing(_: str, __: int, ___: int) -> None:
    """Nobody is watching."""
