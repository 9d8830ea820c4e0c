"""The report as markdown, for places that show no HTML file of ours. The same facts, without the charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shell.report import figures, wording
from shell.report.data import CandidateRow, ReportData
from shell.report.text import shown

TRADES_MAX = 50
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~$&])|^(?=[-+#])")
_BREAKS = re.compile(r"\s+")


def render_markdown(data: ReportData) -> str:
    """The whole report. Same data, same bytes; nothing in it is taken for markup that was not ours."""
    notices = (wording.market_warning(data), wording.partial_notice(data))
    reality = "real" if data.real else "invented"
    parts = [
        f"# {_text(data.title)}",
        *(f"> **{_text(notice)}**" for notice in notices if notice),
        f"{figures.moment(data.start)} to {figures.moment(data.end)} UTC · {_text(data.mode)} · "
        f"{_text(', '.join(data.symbols))} · source: {_text(data.source)} ({reality} prices)",
        _text(" ".join(wording.verdict(data))),
        *_figures(data), *_trades(data), *_nights(data), *_candidates(data), *_evidence(data), *_memory(data),
        *_changes(data), *_limits(data), *_fees(data), *_data(data), *_run(data),
    ]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    """Text from anywhere as one line in which nothing is markup."""
    return _SPECIAL.sub(lambda found: "\\" + (found[1] or ""), _BREAKS.sub(" ", shown(text)).strip())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figures(data: ReportData) -> list[str]:
    rows = [
        ("Starting value", f"{figures.money(data.starting_value)} {_text(data.quote)}"),
        ("Final value", f"{figures.money(data.final_value)} {_text(data.quote)}"),
        ("Fees", f"{figures.money(data.fees_total)} {_text(data.quote)}"),
    ]
    rows += [
        (_text(figures.label(name)), _text(figures.figure(name, value)))
        for name, value in data.metrics.items() if name != "fees"
    ]
    return ["## Key figures", _table(("Figure", "Value"), rows)]


def _trades(data: ReportData) -> list[str]:
    if not data.trades:
        return ["## Trades", "No trade was completed in this period."]
    listed = data.trades[-TRADES_MAX:]
    left_out = len(data.trades) - len(listed)
    rows = [
        (
            _text(trade.symbol), figures.moment(trade.opened), figures.moment(trade.closed),
            figures.quantity(trade.qty), figures.price(trade.entry), figures.price(trade.exit),
            figures.money(trade.pnl, sign=True), figures.percent(trade.pnl_pct, sign=True), figures.money(trade.fees),
            _text(trade.exit_purpose), _text(trade.version),
        )
        for trade in reversed(listed)
    ]
    head = (
        "Symbol", "Opened", "Closed", "Quantity", "Entry", "Exit", f"Result, {_text(data.quote)}", "%", "Fees",
        "Closed by", "Version",
    )
    note = [f"The oldest {figures.plural(left_out, 'trade')} are not listed."] if left_out else []
    return ["## Trades", _table(head, rows), *note]


def _nights(data: ReportData) -> list[str]:
    if not data.nights:
        return ["## Nights", "No night fell into this period."]
    rows = [
        (
            _text(night.night), _text(night.decision), _text("; ".join(night.reasons)),
            _text(", ".join(night.candidate_ids)) or figures.ABSENT, _text(wording.outcome(data, night)),
        )
        for night in data.nights
    ]
    return ["## Nights", _table(("Night", "Decision", "Why", "Candidates", "Outcome"), rows)]


def _candidates(data: ReportData) -> list[str]:
    if not data.candidates:
        return ["## Candidates", "No candidate was examined. That is a normal outcome."]
    parts = ["## Candidates"]
    nearest = wording.nearest_miss(data)
    if nearest:
        parts.append(_text(nearest))
    for candidate in data.candidates:
        parts += _candidate(candidate)
    return parts


def _evidence(data: ReportData) -> list[str]:
    """The evidence clock; nothing where there is nothing to time."""
    if not data.evidence and not data.trials:
        return []
    parts = ["## Evidence clock"]
    if data.trials:
        parts.append(_text(data.trials))
    if data.evidence:
        parts += ["\n".join(f"- {_text(row.sentence)}" for row in data.evidence), _text(wording.PAPER_POWER)]
    return parts


def _memory(data: ReportData) -> list[str]:
    """What each proposer is worth, parity, and how the document changed; nothing where there is nothing to tell."""
    memory = data.memory
    parts: list[str] = []
    if memory.worth:
        parts += ["## What each proposer is worth", "\n".join(f"- {_text(row.sentence)}" for row in memory.worth)]
    if memory.parity:
        told = [
            f"- {figures.moment(row.until)}: {row.scans_equal} of {row.scans} scans and {row.fills_equal} of {row.fills} fills "
            f"equal a second run's{'' if row.explained else ', not every difference is explained'}"
            for row in memory.parity
        ]
        parts += ["## Parity", "\n".join(told)]
    if memory.document or memory.document_refused:
        parts += ["## Strategy document", *(_text(sentence) for sentence in memory.document_refused)]
        parts += ["\n".join(f"- {_text(line)}" for line in memory.document if line.strip())] if memory.document else []
    return parts


def _candidate(candidate: CandidateRow) -> list[str]:
    about = (
        candidate.change_class, f"by {candidate.provider}", f"night {candidate.night}", f"reached {candidate.stage}"
    )
    parts = [
        f"### {_text(candidate.candidate_id)}: {_text(candidate.verdict)}",
        f"{_text(' · '.join(about))}",
        f"> {_text(candidate.hypothesis) or 'No hypothesis was given.'}",
    ]
    if candidate.reasons:
        parts.append("\n".join(f"- {_text(reason)}" for reason in candidate.reasons))
    if candidate.figures:
        parts.append(
            ", ".join(
                f"{_text(figures.label(name))} {_text(figures.figure(name, value))}"
                for name, value in candidate.figures.items()
            )
        )
    if candidate.checks:
        rows = [
            (
                _text(figures.label(check.name)), "**failed**" if check.result == "failed" else check.result,
                _text(figures.figure(check.name, check.value)), _text(figures.figure(check.name, check.threshold)),
                _text(wording.distance(check)), _text(check.sentence),
            )
            for check in candidate.checks
        ]
        parts.append(_table(("Check", "Result", "Measured", "Threshold", "How far", "What it says"), rows))
        if note := wording.gate_note(candidate):
            parts.append(_text(note))
    if candidate.paper:
        paper = candidate.paper
        told = f"Paper trial {paper.trial_id}: {paper.state}."
        if paper.scans is not None:
            told += (
                f" Over {paper.scans} scans {paper.signals_equal} of {paper.signals_backtest} signals and "
                f"{paper.fills_equal} of {paper.fills_backtest} fills were equal to the backtest's."
            )
        parts.append(_text(" ".join((told, *paper.reasons))))
    return parts


def _changes(data: ReportData) -> list[str]:
    lines = [
        f"- {figures.moment(change.at)}: {'rolled back' if change.rollback else 'promoted'} "
        + _text(f"{change.previous} → {change.version} {change.candidate_id} {change.hash} {change.reason}")
        for change in data.promotions
    ]
    return ["## Promotions and rollbacks", "\n".join(lines) or "The active strategy did not change."]


def _limits(data: ReportData) -> list[str]:
    parts = ["## Limits and halts"]
    if data.refusals:
        rows = [(_text(row.code), figures.number(row.count, 0), _text(row.sentence)) for row in data.refusals]
        parts.append(_table(("Refused with", "Times", "For example"), rows))
    else:
        parts.append("No signal was refused.")
    if data.halts:
        halts = [
            (
                _text(halt.kind), figures.moment(halt.raised_at),
                f"{figures.moment(halt.lifted_at)} {_text(halt.lifted_by)}" if halt.lifted_at else "**still standing**",
                _text(halt.sentence),
            )
            for halt in data.halts
        ]
        parts.append(_table(("Halt", "Raised", "Lifted", "Why"), halts))
    else:
        parts.append("No halt was raised.")
    if data.faults:
        parts.append("\n".join(f"- {figures.moment(fault.at)} {_text(fault.sentence)}" for fault in data.faults))
    return parts


def _fees(data: ReportData) -> list[str]:
    rows = [(_text(symbol), figures.money(amount)) for symbol, amount in data.fees_by_symbol.items()]
    total = ("Total", figures.money(data.fees_total))
    return ["## Fees", _table(("Symbol", f"Paid, {_text(data.quote)}"), [*rows, total])]


def _data(data: ReportData) -> list[str]:
    parts = ["## Data"]
    if data.gaps:
        rows = [
            (_text(gap.symbol), figures.moment(gap.begins), figures.moment(gap.ends), figures.number(gap.bars, 0))
            for gap in data.gaps
        ]
        parts += ["Holes were found and nothing was filled in.", _table(("Symbol", "From", "To", "Bars"), rows)]
    else:
        parts.append("No hole was found in the five-minute bars.")
    if data.quality:
        parts.append("\n".join(f"- {_text(sentence)}" for sentence in data.quality))
    return parts


def _run(data: ReportData) -> list[str]:
    counts = data.counts
    told = (
        f"{figures.plural(counts.scans, 'scan')}, {figures.plural(counts.signals, 'signal')}, "
        f"{figures.plural(counts.orders, 'order')}, {figures.plural(counts.fills, 'fill')}."
    )
    if data.seed is not None:
        told += f" Seed {data.seed}."
    if data.event_log_hash:
        told += f" Event log {_text(data.event_log_hash)}."
    notes = ["\n".join(f"- {_text(sentence)}" for sentence in data.notes)] if data.notes else []
    return ["## How it was run", told, *notes]
