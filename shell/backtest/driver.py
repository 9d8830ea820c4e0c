"""The history driver: one certified backtest, the engine over recorded bars with the strategy in its host (D2, D3, D6).

The parent owns history, engine, ledger and clock; the child is fed bars as they close, so its memory never holds the future.
One fresh process a run: module globals of a strategy cannot carry anything from one window to the next.
"""

from __future__ import annotations

from datetime import datetime

from shell.backtest.ground import Ground
from shell.backtest.result import BacktestResult, BacktestSettings
from shell.backtest.run import MemoryJournal, Progress, onwards, run_over
from shell.backtest.window import Window, ground_of, window_of
from shell.clock import monotonic
from shell.host.frames import FramesWanted, touches_frames
from shell.host.policy import require_policy
from shell.host.port import StrategyHost, StrategySource
from shell.host.supervisor import HostedStrategy
from shell.market.history import History


def run_backtest(
    source: StrategySource,
    history: History,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: BacktestSettings,
    host: StrategyHost | None = None,
    progress: Progress | None = None,
    journal: MemoryJournal | None = None,
    gliding: bool = True,
) -> BacktestResult:
    """Run `source` over `history` from `start` to `end` (default: all of it); earlier bars are warm-up. Without `gliding`
    the engine steps through every slot: slower, with the same result. Without a `host`, the strategy has a process of its own.

    Raises StrategyRejected when the strategy may not run, StrategyFault when it breaks `max_consecutive_faults` times in a
    row, DataError when the window holds no bars, UsageError when it is reversed.
    """
    kept, begun, window = journal or MemoryJournal(), monotonic(), window_of(history, start, end)
    told = onwards(progress)

    def run(hosted: StrategyHost) -> BacktestResult:
        ground = _ground(history, window, settings, hosted)
        return run_over(ground, hosted, settings=settings, progress=told, kept=kept, gliding=gliding, begun=begun)

    if host is not None:
        return run(host)
    require_policy(source)
    try:
        return run(_begun(source, settings, frames=touches_frames(source)))
    except FramesWanted:
        # Its text did not show it. All of that run is forgotten, and nothing of it was seen by anybody.
        kept.forget()
    return run(_begun(source, settings, frames=True))


def _begun(source: StrategySource, settings: BacktestSettings, *, frames: bool) -> HostedStrategy:
    """The strategy's host, its process on the way while history is laid out."""
    hosted = HostedStrategy(source, settings.host, frames=frames)
    hosted.prespawn()
    return hosted


def _ground(history: History, window: Window, settings: BacktestSettings, hosted: StrategyHost) -> Ground:
    """The ground of a run, laid out while the strategy's process starts, which is ended if there is none."""
    try:
        return ground_of(history, window, float(settings.paper.taker_fee_pct))
    except BaseException:
        hosted.close()
        raise
