"""Sentences about a night, shared by the note, the report and the message. Texts from a proposal are made harmless."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.night import CandidateOutcome, NightRecord, Settlement

TEXT_MAX = 300
# Unicode categories that can hide or reorder text: controls, formats (bidi), surrogates, private use, unassigned.
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn")


def one_line(text: str, length: int = TEXT_MAX) -> str:
    """`text` on one line, without control or bidi characters, cut at `length`: a model or a stranger may have written
    it."""
    spaced = "".join(" " if unicodedata.category(each) in _HIDDEN else each for each in text)
    line = " ".join(spaced.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def cell(value: object) -> str:
    """`value` as it may stand in a markdown table cell: no pipes, no markup that starts something."""
    line = one_line(str(value))
    for mark in ("\\", "|", "`", "<", ">", "[", "]", "*", "_", "!"):
        line = line.replace(mark, f"\\{mark}")
    return line


def outcome_line(outcome: CandidateOutcome) -> str:
    """One candidate in one sentence."""
    reason = one_line("; ".join(outcome.reasons))
    if outcome.candidate_id is None:
        return f"no candidate: {reason}"
    article = "an" if outcome.change_class.startswith("o") else "a"
    kind = f", {article} {outcome.change_class}" if outcome.change_class else ""
    return (
        f"{outcome.candidate_id}{kind}: {one_line(outcome.hypothesis, 160)}. "
        f"{outcome.verdict.capitalize()} at {outcome.stage}: {reason}"
    )


def settlement_line(settlement: Settlement) -> str:
    """One settled paper trial in one sentence."""
    judged = settlement.conformance
    name = f"paper trial {settlement.trial_id} of {settlement.candidate_id}"
    reason = one_line("; ".join(judged.reasons))
    if settlement.promotion is not None:
        promotion = settlement.promotion
        return f"{name} passed; {promotion.version} is active in place of {promotion.previous}. {reason}"
    if settlement.refusal:
        return f"{name} passed, but it was not promoted: {one_line(settlement.refusal)}"
    if judged.extended_until is not None and not judged.passed:
        return f"{name} goes on until {judged.extended_until:%Y-%m-%d %H:%M} UTC. {reason}"
    return f"{name} {'passed' if judged.passed else 'failed'}. {reason}"


def next_step(record: NightRecord) -> str:
    """What the coming nights hold, as far as it is known."""
    due = [outcome for outcome in record.outcomes if outcome.trial_due_at is not None]
    if due:
        return "; ".join(
            f"the paper trial of {outcome.candidate_id} is due {outcome.trial_due_at:%Y-%m-%d %H:%M} UTC"
            for outcome in due if outcome.trial_due_at is not None
        )
    extended = [each for each in record.settlements if each.conformance.extended_until and not each.conformance.passed]
    if extended:
        return "; ".join(f"the paper trial of {each.candidate_id} goes on" for each in extended)
    goes_on = "; the search goes on from what these looks showed" if any(each.looks for each in record.outcomes) else ""
    return f"{record.active_version} stays active{goes_on}"


def check_rows(checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A gate's checks as table rows."""
    return [
        {
            "check": str(check["name"]), "passed": _passed(check), "value": number(check["value"]),
            "threshold": number(check["threshold"]), "what": one_line(str(check["sentence"])),
        }
        for check in checks
    ]


def _passed(check: Mapping[str, Any]) -> str:
    if check.get("skipped"):
        return "not made"
    return "yes" if check["passed"] else "no"


def number(value: object) -> str:
    """A number for a table; nothing where there is none."""
    return "" if value is None else f"{float(str(value)):.6g}"
