"""Halts that arithmetic raised, for books no person watches: backtests, and paper trials at the start of each local day."""

from __future__ import annotations

from shell.engine import Engine
from shell.risk.halts import HaltKind

MEASURED_HALTS = (HaltKind.DAILY_LOSS, HaltKind.DRAWDOWN, HaltKind.CONSECUTIVE_LOSSES)


def measured_halts(engine: Engine) -> list[HaltKind]:
    """The active halts of a book that arithmetic raised."""
    return [kind for kind in engine.halts if kind in MEASURED_HALTS]


def lift_measured(engine: Engine) -> list[HaltKind]:
    """Lift them, as an operator would after a look; returns them."""
    lifted = measured_halts(engine)
    for kind in lifted:
        engine.lift(kind)
    return lifted
