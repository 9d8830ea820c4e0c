"""The report's sentences: what happened, in plain words, and never a promise."""

from __future__ import annotations

from collections import Counter
from datetime import date

from shell.clock import night_window
from shell.report import figures
from shell.report.data import CandidateRow, CheckRow, NightRow, PromotionRow, ReportData

PROMOTED = "promoted"
REFUSED = "refused"
NO_PROMISE = "What happened in the past, on an invented market or a real one, is no promise of what will happen."


FIELD = "pbo"
FIELD_NOTE = (
    "The overfitting of the field (PBO) is no mark of this candidate: it says how often whatever was best on one half of the "
    "days, among everything tried or held on them, came out below the middle on the other half, and so whether being the best "
    "there means anything. A weak candidate in a good field passes it, and a good one in a field of noise does not."
)


def market_warning(data: ReportData) -> str:
    """What must be said first of a market that is not real; empty for a real one."""
    if data.planted_edge:
        return (
            "This market is invented, and a trading edge was planted in it on purpose, so that the machinery can be "
            "watched finding and promoting something. No figure below says anything about a real market."
        )
    if not data.real:
        return "This market is invented: its prices were generated. No figure below says anything about a real market."
    return ""


def verdict(data: ReportData) -> tuple[str, ...]:
    """The opening paragraph, one sentence each: money, risk, trades, nights, what went wrong."""
    sentences = [_money(data), _risk_taken(data), _nights(data)]
    halted = sum(halt.lifted_at is None for halt in data.halts)
    if data.halts:
        standing = f"; {figures.plural(halted, 'halt')} still standing" if halted else ", and allowed again since"
        sentences.append(f"Opening orders were halted {figures.times_over(len(data.halts))}{standing}.")
    if data.faults:
        sentences.append(f"The strategy failed {figures.times_over(len(data.faults))}.")
    if data.gaps:
        missing = sum(gap.bars for gap in data.gaps)
        sentences.append(
            f"The price data has {figures.plural(len(data.gaps), 'hole')} "
            f"({figures.plural(missing, 'bar')} of five minutes missing); nothing was filled in."
        )
    sentences.append(NO_PROMISE)
    return tuple(sentences)


def gate_note(row: CandidateRow) -> str:
    """What must be said beside a candidate's checks; empty where there is nothing to explain."""
    return FIELD_NOTE if any(check.name == FIELD for check in row.checks) else ""


def partial_notice(data: ReportData) -> str:
    """Said when a run was stopped early; empty otherwise."""
    if not data.partial:
        return ""
    return f"This report is partial: the run was stopped at {figures.moment(data.end)} UTC, before its planned end."


def outcome(data: ReportData, night: NightRow) -> str:
    """What a night came to, in a few words, from what its candidates have come to since."""
    verdicts = Counter(row.verdict for row in data.candidates if row.candidate_id in night.candidate_ids)
    if not verdicts:
        return "no candidate"
    words = {PROMOTED: "promoted", REFUSED: "refused"}
    return ", ".join(f"{count} {words.get(name, name)}" for name, count in sorted(verdicts.items()))


def night_changes(data: ReportData, night: NightRow) -> tuple[PromotionRow, ...]:
    """The changes of the active version that fell into a night's window."""
    try:
        window = night_window(date.fromisoformat(night.night))
    except ValueError:
        return ()
    return tuple(row for row in data.promotions if window.contains(row.at))


def distance(check: CheckRow) -> str:
    """How far a check's value lay from its threshold: to spare when it passed, missing or too much when it did not.

    Empty where the distance does not explain the result: a check without numbers, or one that weighs more than two.
    """
    value, threshold = check.value, check.threshold
    if isinstance(value, str | bool) or isinstance(threshold, str | bool) or value is None or threshold is None:
        return ""
    gap = float(value) - float(threshold)
    whole = isinstance(value, int) and isinstance(threshold, int)
    if figures.is_fraction(check.name):
        text = f"{figures.number(abs(gap) * 100)} points"
    else:
        text = figures.number(abs(gap), 0) if whole else figures.figure(check.name, abs(gap))
    falls_short = gap > 0 if figures.lower_is_better(check.name) else gap < 0
    if not gap:
        return "exactly met" if check.passed else "not beyond it"
    if check.passed:
        return "" if falls_short else f"{text} to spare"
    if not falls_short:
        return ""
    return f"{text} too much" if figures.lower_is_better(check.name) else f"{text} missing"


def first_failure(candidate: CandidateRow) -> CheckRow | None:
    """The first check of the gate that a candidate failed; one that was not made only where no other failed."""
    failed = sorted((check for check in candidate.checks if not check.passed), key=lambda check: check.skipped)
    return failed[0] if failed else None


PAPER_POWER = (
    "A paper trial shows that paper does what the backtest said, not that a strategy is good: over seven days even a true "
    "annual Sharpe ratio of 2 would be told from luck in one case of twelve (normal approximation, 95 % confidence)."
)


def nearest_miss(data: ReportData) -> str:
    """How far the best candidate that failed the gate was: the one with the fewest failed checks. Empty without one."""
    judged = [row for row in data.candidates if first_failure(row)]
    if not judged:
        return ""
    nearest = min(judged, key=_failed)
    failed = _failed(nearest)
    check = first_failure(nearest)
    if check is None:
        return ""
    far, label = distance(check), figures.label(check.name)
    return (
        f"Nearest of those that failed the gate: {nearest.candidate_id}, with {failed} of {len(nearest.checks)} checks "
        f"failed; the first was {label[:1].lower()}{label[1:]}: {check.sentence.rstrip('.')}"
        + (f" ({far})." if far else ".")
    )


def _failed(candidate: CandidateRow) -> int:
    return sum(check.result == "failed" for check in candidate.checks)


def _money(data: ReportData) -> str:
    start, final = data.starting_value, data.final_value
    change = float(final / start) - 1 if start else 0.0
    days = max(1, round((data.end - data.start).total_seconds() / 86_400))
    account = "the paper account" if data.mode == "paper" else "the account"
    if final == start:
        moved = f"{account} ended where it began, at {figures.money(start)} {data.quote}"
    else:
        verb = "rose" if final > start else "fell"
        moved = (
            f"{account} {verb} from {figures.money(start)} to {figures.money(final)} {data.quote} "
            f"({figures.percent(change, sign=True)})"
        )
    fees = f"fees of {figures.money(data.fees_total)} {data.quote} included"
    sentence = f"Over {figures.plural(days, 'day')} {moved}, {fees}."
    held = data.metrics.get("buy_and_hold_return_pct")
    if isinstance(held, float):
        sentence += f" Buying the same coins at the start and keeping them: {figures.percent(held, sign=True)}."
    return sentence


def _risk_taken(data: ReportData) -> str:
    if not data.trades:
        still = f"; {figures.plural(len(data.positions), 'position')} still open" if data.positions else ""
        return f"No trade was completed{still}."
    gains = sum(trade.pnl > 0 for trade in data.trades)
    sentence = f"{figures.plural(len(data.trades), 'trade')} closed, {gains} of them with a gain"
    fall = data.metrics.get("max_drawdown_pct")
    if isinstance(fall, float):
        sentence += f"; on the way the account fell at most {figures.percent(abs(fall))} from a peak"
    return sentence + "."


def _nights(data: ReportData) -> str:
    if not data.nights:
        return "No night was worked."
    examined = len(data.candidates)
    nights = figures.plural(len(data.nights), "night")
    if not examined:
        return f"In {nights} no candidate was examined: nothing was changed, which is the normal outcome."
    counted = Counter(row.verdict for row in data.candidates)
    parts = [f"{counted[REFUSED]} refused", f"{counted[PROMOTED]} promoted"]
    undecided = examined - counted[REFUSED] - counted[PROMOTED]
    if undecided:
        parts.append(f"{undecided} not decided yet")
    subject = figures.plural(examined, "candidate was", "candidates were")
    sentence = f"In {nights} {subject} examined: {', '.join(parts)}."
    if not counted[PROMOTED]:
        sentence += " Changing nothing is the normal outcome."
    back = sum(row.rollback for row in data.promotions)
    if back:
        sentence += f" The active strategy was rolled back {figures.times_over(back)}."
    return sentence
