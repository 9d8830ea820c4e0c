"""Settled paper trials and the promotions that follow, put together for the night's record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.client import Conformance, PaperTrial
from tasks.night import Settlement
from tasks.promote import PromotionAnswer


def settled(trial: PaperTrial, conformance: Conformance) -> Settlement:
    """A judged trial, before anything is promoted."""
    return Settlement(
        trial_id=trial.trial_id, candidate_id=trial.candidate_id, conformance=conformance, promotion=None
    )


def answered(settlements: Sequence[Settlement], answer: PromotionAnswer) -> list[Settlement]:
    """`settlements` with a promotion's answer beside its trial, or at the end when a crash parted the two."""
    merged = [
        replace(each, promotion=answer.promotion, refusal=answer.refusal)
        if each.candidate_id == answer.candidate_id else each
        for each in settlements
    ]
    if any(each.candidate_id == answer.candidate_id for each in settlements):
        return merged
    return [*merged, _of_an_earlier_night(answer)]


def _of_an_earlier_night(answer: PromotionAnswer) -> Settlement:
    earlier = Conformance(
        trial_id="", passed=True, extended_until=None, scans=0, signals_paper=0, signals_backtest=0, signals_equal=0,
        fills_paper=0, fills_backtest=0, fills_equal=0, reasons=("its paper trial had passed on an earlier night",),
    )
    return Settlement(
        trial_id="", candidate_id=answer.candidate_id, conformance=earlier, promotion=answer.promotion,
        refusal=answer.refusal,
    )
