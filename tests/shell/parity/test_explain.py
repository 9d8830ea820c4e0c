"""Comparing two runs scan by scan, and finding the reason on record, without any shell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shell.money import Price
from shell.orders import Fill, SignalAnswer
from shell.parity.compare import Difference, Run, compare_runs
from shell.parity.explain import Circumstances, explain
from tests.shell.store.examples import START, answer, approved_order, fill_of, minutes, scan

UNTIL = minutes(60)
SLOTS = [minutes(15 * number) for number in range(1, 5)]
FACTS = Circumstances(version="v001")


def run(answers: list[SignalAnswer] | None = None, fills: list[Fill] | None = None, leave_out: int = -1) -> Run:
    scans = [scan(slot) for number, slot in enumerate(SLOTS) if number != leave_out]
    return Run(scans=scans, answers=answers or [], fills=fills or [])


def at(number: int, **changes: object) -> SignalAnswer:
    return replace(answer(1), decided_at=SLOTS[number], **changes)  # type: ignore[arg-type]


def test_equal_runs_have_no_difference() -> None:
    fills = [fill_of(approved_order(16))]
    compared = compare_runs(run([at(0)], fills), run([at(0)], list(fills)), START, UNTIL)
    assert (compared.scans, compared.scans_equal, compared.fills, compared.fills_equal, compared.differences) == (4, 4, 1, 1, ())


def test_each_kind_of_difference_is_told_at_its_scan() -> None:
    fill = fill_of(approved_order(16))
    compared = compare_runs(
        run([at(0), at(1, size_pct=0.2)], [fill], leave_out=3), run([at(0), at(1)], []), START, UNTIL
    )
    assert [each.slot for each in compared.differences] == [SLOTS[1], SLOTS[3]]
    assert (compared.scans, compared.scans_equal, compared.fills_equal) == (4, 2, 0)
    first, last = compared.differences
    assert first.only_main[0].startswith("signal BUY BTC/USD approved") and "fill buy 0.5 BTC/USD" in first.only_main[1]
    assert first.only_replay and first.symbols == {"BTC/USD"}
    assert last.missing == "main"


def test_a_fill_after_the_last_scan_counts_for_the_windows_end() -> None:
    late = replace(fill_of(approved_order(1)), filled_at=minutes(61))
    compared = compare_runs(run(), run(fills=[late]), START, minutes(65))
    assert [each.slot for each in compared.differences] == [minutes(65)]
    assert (compared.scans, compared.scans_equal) == (4, 4)


def test_a_fill_far_from_the_second_run_s_price_is_equal_and_told_of() -> None:
    fill = fill_of(approved_order(16))
    near, far = (replace(fill, price=Price(fill.price.value * part)) for part in (Decimal("1.009"), Decimal("0.7")))
    [at], [sentence] = zip(*compare_runs(run(fills=[far]), run(fills=[fill]), START, UNTIL).slips, strict=True)
    assert at == fill.filled_at and "-30.0%" in sentence
    compared = compare_runs(run(fills=[near]), run(fills=[fill]), START, UNTIL)
    assert (compared.fills_equal, compared.slips) == (1, ())


def difference(number: int = 0, **changes: object) -> Difference:
    values: dict[str, object] = {
        "slot": SLOTS[number], "before": SLOTS[number] - timedelta(minutes=15), "only_main": ("signal",),
        "symbols": frozenset({"BTC/USD"}), "scan": scan(SLOTS[number]),
    }
    return Difference(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "part", "told"),
    [
        (FACTS, {"scan": replace(scan(SLOTS[0]), version="v002")}, "the version changed to v002"),
        (FACTS, {"scan": replace(scan(SLOTS[0]), fault="timeout: slow")}, "failed in this scan: timeout"),
        (replace(FACTS, starts=[minutes(10)]), {}, "the shell was started at"),
        (replace(FACTS, starts=[minutes(40)]), {"missing": "main"}, "the shell was started at"),
        (replace(FACTS, late=[("BTC/USD", minutes(5), "12 s late")]), {}, "late data: 12 s late"),
        (replace(FACTS, gaps=[("BTC/USD", minutes(5))]), {}, "no bar of BTC/USD"),
        (replace(FACTS, rejected=[("BTC/USD", minutes(5), "too small")]), {}, "refused by the venue: too small"),
        (replace(FACTS, halts=[(minutes(5), "KILL_SWITCH stopped openings")]), {}, "KILL_SWITCH"),
        (replace(FACTS, capital=[minutes(5)]), {}, "money was put in"),
        (replace(FACTS, early=[(minutes(5), "inside a bar DAILY_LOSS stopped openings")]), {}, "inside a bar DAILY_LOSS"),
        (replace(FACTS, outages=[(minutes(-20), minutes(3), "did not answer")]), {}, "did not answer"),
        (replace(FACTS, slips=[(minutes(5), "the exchange filled far away")]), {}, "filled far away"),
    ],
)
def test_what_is_on_record_explains(facts: Circumstances, part: dict[str, object], told: str) -> None:
    [found] = explain([difference(**part)], facts)
    assert found.known and told in found.reason


@pytest.mark.parametrize(
    "facts",
    [
        FACTS, replace(FACTS, starts=[minutes(40)]), replace(FACTS, late=[("ETH/USD", minutes(5), "late")]),
        replace(FACTS, gaps=[("BTC/USD", minutes(40))]), replace(FACTS, rejected=[("ETH/USD", minutes(5), "small")]),
        replace(FACTS, halts=[(minutes(40), "later")]), replace(FACTS, early=[(minutes(40), "inside a bar")]),
        replace(FACTS, outages=[(minutes(20), minutes(40), "later")]), replace(FACTS, slips=[(minutes(40), "later")]),
    ],
)
def test_what_is_not_on_record_or_elsewhere_does_not(facts: Circumstances) -> None:
    [found] = explain([difference()], facts)
    assert not found.known and found.reason == "nothing on record explains it"


def test_what_follows_is_as_known_as_what_it_follows_from() -> None:
    unknown = explain([difference(0), difference(1)], FACTS)
    assert [each.known for each in unknown] == [False, False] and "follows from" in unknown[1].reason
    known = explain([difference(0), difference(2)], replace(FACTS, gaps=[("BTC/USD", minutes(5))]))
    assert [each.known for each in known] == [True, True] and "follows from" in known[1].reason
