"""What follows from the facts of a certificate: made once when it is written, and again when it is verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shell.store.canonical import canonical
from shell.trials.candidate import Stage, TrialScore
from shell.trials.count import trial_count
from shell.trials.segments import SegmentName

FORMAT = "trading-brain certificate 1"
SECTIONS = ("promotion", "candidate", "trials", "gate", "stages", "data")


def derived(
    links: Sequence[Mapping[str, Any]], facts: Mapping[int, Mapping[str, Any]], candidate_id: str
) -> dict[str, Any]:
    """The sections for a reader, from the facts alone. Raises KeyError, ValueError or TypeError where facts are missing."""
    kinds = {int(link["seq"]): str(link["kind"]) for link in links}
    times = {int(link["seq"]): str(link["at"]) for link in links}
    own = {seq: fact for seq, fact in facts.items() if fact.get("candidate") == candidate_id}
    (registered,) = (fact for seq, fact in own.items() if kinds[seq] == "candidate")
    promoted = max(seq for seq in own if kinds[seq] == "promotion")
    stages = [(seq, own[seq]) for seq in sorted(own) if kinds[seq] == "stage"]
    gate_seq, gate = next((seq, fact) for seq, fact in stages if fact["stage"] == Stage.GATE.value)
    proposers = {fact["candidate"]: fact["provider"] for seq, fact in facts.items() if kinds[seq] == "candidate"}
    scores = scores_before(links, facts, gate_seq)
    mine = [score for score in scores if score.candidate_id == candidate_id]
    return {
        "promotion": {**own[promoted], "at": times[promoted]},
        "candidate": dict(registered),
        "trials": {
            **trial_count(scores).as_dict(),
            "scores": [
                {"candidate": score.candidate_id, "provider": proposers.get(score.candidate_id, ""),
                 "source_hash": score.source_hash, "data_hash": score.data_hash, "daily_sharpe": score.sharpe}
                for score in scores
            ],
        },
        "gate": {
            "verdict": "passed" if gate["passed"] else "refused", "inputs": gate["inputs"].get("inputs"),
            "thresholds": gate["inputs"].get("thresholds"), "checks": gate["inputs"].get("checks"),
        },
        "stages": [{"stage": fact["stage"], "passed": fact["passed"], "at": times[seq]} for seq, fact in stages],
        "data": {
            "segments": [fact for seq, fact in sorted(facts.items()) if kinds[seq] == "segments"],
            "hashes": sorted({score.data_hash for score in mine}),
        },
    }


def scores_before(
    links: Sequence[Mapping[str, Any]], facts: Mapping[int, Mapping[str, Any]], seq_max: int
) -> list[TrialScore]:
    """Every scoring on selection that the ledger holds before event `seq_max`, in order."""
    found = []
    for link in links:
        seq = int(link["seq"])
        if link["kind"] == "score" and seq < seq_max:
            fact = facts[seq]
            if fact["segment"] == SegmentName.SELECTION.value:
                found.append(
                    TrialScore(
                        candidate_id=fact["candidate_id"], segment=fact["segment"],
                        scored_at=datetime.fromisoformat(fact["scored_at"]), data_hash=fact["data_hash"],
                        source_hash=fact["source_hash"], sharpe=float(fact["sharpe"]),
                        daily_returns=tuple(float(value) for value in fact["daily_returns"]),
                        trades=fact["trades"], total_return_pct=float(fact["total_return_pct"]),
                    )
                )
    return found


def seal_of(certificate: Mapping[str, Any]) -> str:
    """Sha256 over everything but the seal itself."""
    whole = {name: value for name, value in certificate.items() if name != "seal"}
    return hashlib.sha256(canonical(whole).encode()).hexdigest()
