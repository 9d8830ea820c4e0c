"""The process of a fast backtest whose strategy may touch frames (`shell.backtest.fast_child`)."""

from __future__ import annotations

from collections.abc import Sequence

from shell.backtest.fast_child import work
from shell.host.lockdown import Enclosure
from shell.host.warm_up import warm_up


def main(descriptor: int, enclosure: Enclosure, _lane: Sequence[int], ground: int) -> None:
    """Run backtests over the ground behind `ground`, with everything that strategies may use."""
    work(descriptor, enclosure, ground, warm_up, _nothing)


def _nothing() -> None:
    """The library opens what it needs only while it can: that is all."""
