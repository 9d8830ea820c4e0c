"""Verifying a certificate, offline: everything is computed again, and the first thing that does not hold is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shell.backtest.metrics import moments_of
from shell.errors import BadInput
from shell.gate.verdict import recheck
from shell.host.port import StrategySource
from shell.promotion.certificate_facts import FORMAT, SECTIONS, derived, scores_before, seal_of
from shell.store.canonical import canonical
from shell.store.trial_chain import EMPTY_LEDGER, link_digest, payload_digest
from shell.trials.candidate import Stage, source_hash
from shell.trials.count import distinct_scores

# Two sums of the same numbers may differ in their last digits on another machine.
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """`failure` is the first thing that does not hold, "" when all does; `held` names what did, in order."""

    candidate_id: str
    version: str
    held: tuple[str, ...]
    failure: str

    @property
    def holds(self) -> bool:
        return not self.failure


class _Broken(Exception):
    """Ends a verification at the first thing that does not hold."""


@dataclass(slots=True)
class _Case:
    """A certificate being read."""

    bundle: Mapping[str, Any]
    links: Sequence[Mapping[str, Any]]
    facts: dict[int, Mapping[str, Any]]
    candidate_id: str = ""
    version: str = ""

    def own(self, kind: str) -> list[tuple[int, Mapping[str, Any]]]:
        """This candidate's facts of one kind, with their numbers, in order."""
        name = "candidate_id" if kind == "score" else "candidate"
        return [
            (int(link["seq"]), self.facts[int(link["seq"])]) for link in self.links
            if link["kind"] == kind and self.facts.get(int(link["seq"]), {}).get(name) == self.candidate_id
        ]

    def stage(self, stage: Stage) -> tuple[int, Mapping[str, Any]]:
        found = [(seq, fact) for seq, fact in self.own("stage") if fact["stage"] == stage.value]
        _require(len(found) == 1 and found[0][1]["passed"] is True, f"the ledger holds no passed {stage.value} stage of it")
        return found[0]


def verify_certificate(text: str) -> Verification:
    """Recompute a certificate from its text. Raises BadInput for text that is no certificate at all."""
    try:
        bundle = json.loads(text)
    except ValueError as error:
        raise BadInput(f"this is no certificate: it is not JSON ({error})") from None
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise BadInput(f"this is no certificate: its format is not {FORMAT!r}")
    case = _Case(bundle=bundle, links=(), facts={})
    held: list[str] = []
    for name, check in _CHECKS:
        try:
            check(case)
        except _Broken as broken:
            return Verification(
                candidate_id=case.candidate_id, version=case.version, held=tuple(held), failure=f"{name}: {broken}"
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration, OverflowError) as error:
            failure = f"{name}: something is missing or of another shape ({error!r})"
            return Verification(candidate_id=case.candidate_id, version=case.version, held=tuple(held), failure=failure)
        held.append(name)
    return Verification(candidate_id=case.candidate_id, version=case.version, held=tuple(held), failure="")


def _chain(case: _Case) -> None:
    """Every link follows from the one before, from the first fact to the promotion."""
    ledger = case.bundle["ledger"]
    previous = EMPTY_LEDGER
    last_seq = 0
    for number, link in enumerate(ledger["links"], 1):
        digest = link_digest(previous, number, link["seq"], link["kind"], link["at"], link["payload_hash"])
        _require(type(link["seq"]) is int and link["seq"] > last_seq, f"link {number} is out of order")
        _require(link["number"] == number and link["hash"] == digest, f"link {number} does not follow from the one before")
        previous, last_seq = digest, link["seq"]
    _require(ledger["head"] == previous, "the head is not the last link's hash")
    case.links = ledger["links"]


def _payloads(case: _Case) -> None:
    """Every fact given in full is the one that its link names, and no trial is missing."""
    links = {str(link["seq"]): link for link in case.links}
    for seq, text in case.bundle["ledger"]["payloads"].items():
        _require(seq in links, f"fact {seq} has no link")
        _require(payload_digest(text) == links[seq]["payload_hash"], f"fact {seq} is not the one that was linked")
        case.facts[int(seq)] = json.loads(text)
    for seq, link in links.items():
        needed = link["kind"] in ("score", "candidate")
        _require(not needed or int(seq) in case.facts, f"the {link['kind']} of fact {seq} is left out")


def _promotion(case: _Case) -> None:
    """The ledger ends with the promotion that this certifies."""
    last = case.links[-1]
    _require(last["kind"] == "promotion", "the ledger does not end with a promotion")
    promoted = case.facts[int(last["seq"])]
    case.candidate_id, case.version = str(promoted["candidate"]), str(promoted["version"])
    stage = case.stage(Stage.PROMOTE)[1]["inputs"]
    same = all(stage[name] == promoted[name] for name in ("version", "previous", "hash"))
    _require(same, "the promotion's fact and its stage disagree")


def _code(case: _Case) -> None:
    """The code is that of the candidate, and of the version."""
    given = case.bundle["source"]
    digest = source_hash(StrategySource(code=given["code"], skills=given["skills"]))
    ((_, registered),) = case.own("candidate")
    promoted = case.facts[int(case.links[-1]["seq"])]
    _require(digest == registered["source_hash"], "the code is not that of the candidate")
    _require(digest == promoted["hash"], "the code is not that of the version")


def _order(case: _Case) -> None:
    """Let onto selection, scored, looked once into the vault, judged, tried on paper, promoted: in this order."""
    lets, scores, looks = case.own("selection_look"), case.own("score"), case.own("vault_look")
    _require(bool(lets) and bool(scores), "it was never scored on the selection segment")
    _require(len(looks) == 1, f"it looked {len(looks)} times into the vault, not once")
    steps = [
        lets[0][0], scores[0][0], case.stage(Stage.BACKTEST)[0], looks[0][0], case.stage(Stage.GATE)[0],
        case.stage(Stage.PAPER)[0], case.stage(Stage.PROMOTE)[0], int(case.links[-1]["seq"]),
    ]
    _require(steps == sorted(steps), "its stages are not in their order")
    refused = [fact["stage"] for _, fact in case.own("stage") if fact["passed"] is not True]
    _require(not refused, f"it was refused at {', '.join(refused)}")


def _scores(case: _Case) -> None:
    """Each trial's Sharpe ratio is that of its daily returns."""
    for score in scores_before(case.links, case.facts, int(case.links[-1]["seq"])):
        computed = moments_of(np.asarray(score.daily_returns, dtype=np.float64)).sharpe
        same = math.isclose(computed, score.sharpe, rel_tol=_CLOSE, abs_tol=_CLOSE)
        _require(same or math.isnan(score.sharpe), f"the Sharpe ratio of {score.candidate_id} is not that of its daily returns")


def _gate(case: _Case) -> None:
    """The gate's verdict, again, from its stored inputs and thresholds."""
    _, fact = case.stage(Stage.GATE)
    stored = fact["inputs"]
    try:
        verdict = recheck(stored)
    except BadInput as refusal:
        raise _Broken(str(refusal)) from None
    _require(verdict.passed, f"recomputed from its inputs it refuses: {verdict.first_failure}")
    checks = [check.as_dict() for check in verdict.checks]
    _require(canonical(checks) == canonical(stored["checks"]), "recomputed from its inputs its checks show other numbers")


def _trials(case: _Case) -> None:
    """The gate deflated by no fewer trials than the ledger holds on the candidate's own data."""
    gate_seq, fact = case.stage(Stage.GATE)
    used = fact["inputs"].get("inputs", {}).get("trial_sharpes")
    if used is None:
        return
    own_data = {score["data_hash"] for _, score in case.own("score")}
    left = [float(value) for value in used]
    for score in distinct_scores(scores_before(case.links, case.facts, gate_seq)):
        if score.data_hash in own_data and math.isfinite(score.sharpe):
            _require(score.sharpe in left, f"the gate did not count the trial of {score.candidate_id}")
            left.remove(score.sharpe)


def _sections(case: _Case) -> None:
    """What a reader is shown follows from the facts."""
    again = json.loads(canonical(derived(case.links, case.facts, case.candidate_id)))
    for name in SECTIONS:
        _require(canonical(case.bundle[name]) == canonical(again[name]), f"the section {name!r} does not follow from the facts")


def _seal(case: _Case) -> None:
    """Nothing else in the file was changed either."""
    _require(case.bundle["seal"] == seal_of(case.bundle), "the seal is not that of this content")


_CHECKS: tuple[tuple[str, Callable[[_Case], None]], ...] = (
    ("chain", _chain), ("facts", _payloads), ("promotion", _promotion), ("code", _code), ("order", _order),
    ("scores", _scores), ("gate", _gate), ("trials", _trials), ("sections", _sections), ("seal", _seal),
)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _Broken(otherwise)
