"""Verifying a certificate, offline: everything is computed again, and the first thing that does not hold is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shell.errors import BadInput
from shell.host.port import StrategySource
from shell.promotion.certificate_facts import FORMAT, SECTIONS, derived, seal_of
from shell.promotion.dossier import Broken, Dossier, require
from shell.promotion.evidence import EVIDENCE
from shell.promotion.evidence import Check as Evidence
from shell.store.canonical import canonical
from shell.store.trial_chain import EMPTY_LEDGER, link_digest, payload_digest
from shell.trials.candidate import Stage, source_hash


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


@dataclass(slots=True)
class _Case:
    """A certificate being read."""

    bundle: Mapping[str, Any]
    dossier: Dossier
    version: str = ""

    @property
    def source(self) -> StrategySource:
        given = self.bundle["source"]
        return StrategySource(code=given["code"], skills=given["skills"])


def verify_certificate(text: str) -> Verification:
    """Recompute a certificate from its text. Raises BadInput for text that is no certificate at all."""
    try:
        bundle = json.loads(text)
    except ValueError as error:
        raise BadInput(f"this is no certificate: it is not JSON ({error})") from None
    if not isinstance(bundle, dict) or bundle.get("format") != FORMAT:
        raise BadInput(f"this is no certificate: its format is not {FORMAT!r}")
    case = _Case(bundle=bundle, dossier=Dossier(links=(), facts={}))
    held: list[str] = []
    failure = ""
    for name, check in _CHECKS:
        try:
            check(case)
        except Broken as broken:
            failure = f"{name}: {broken}"
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, StopIteration, OverflowError) as error:
            failure = f"{name}: something is missing or of another shape ({error!r})"
        if failure:
            break
        held.append(name)
    return Verification(
        candidate_id=case.dossier.candidate_id, version=case.version, held=tuple(held), failure=failure
    )


def _chain(case: _Case) -> None:
    """Every link follows from the one before, from the first fact to the promotion."""
    ledger = case.bundle["ledger"]
    previous = EMPTY_LEDGER
    last_seq = 0
    for number, link in enumerate(ledger["links"], 1):
        digest = link_digest(previous, number, link["seq"], link["kind"], link["at"], link["payload_hash"])
        require(type(link["seq"]) is int and link["seq"] > last_seq, f"link {number} is out of order")
        require(link["number"] == number and link["hash"] == digest, f"link {number} does not follow from the one before")
        previous, last_seq = digest, link["seq"]
    require(ledger["head"] == previous, "the head is not the last link's hash")
    case.dossier.links = ledger["links"]


def _payloads(case: _Case) -> None:
    """Every fact given in full is the one that its link names, and no trial is missing."""
    links = {str(link["seq"]): link for link in case.dossier.links}
    for seq, text in case.bundle["ledger"]["payloads"].items():
        require(seq in links, f"fact {seq} has no link")
        require(payload_digest(text) == links[seq]["payload_hash"], f"fact {seq} is not the one that was linked")
        case.dossier.facts[int(seq)] = json.loads(text)
    for seq, link in links.items():
        needed = link["kind"] in ("score", "candidate", "segments")
        require(not needed or int(seq) in case.dossier.facts, f"the {link['kind']} of fact {seq} is left out")


def _promotion(case: _Case) -> None:
    """The ledger ends with the promotion that this certifies: of this code, after its paper trial."""
    dossier = case.dossier
    last = dossier.links[-1]
    require(last["kind"] == "promotion", "the ledger does not end with a promotion")
    promoted = dossier.facts[int(last["seq"])]
    dossier.candidate_id, case.version = str(promoted["candidate"]), str(promoted["version"])
    seq, fact = dossier.stage(Stage.PROMOTE)
    same = all(fact["inputs"][name] == promoted[name] for name in ("version", "previous", "hash"))
    require(same, "the promotion's fact and its stage disagree")
    require(dossier.stage(Stage.PAPER)[0] < seq < int(last["seq"]), "its stages are not in their order")
    if "rerun" in promoted:
        # Promotions of earlier versions of this program name none.
        again = dossier.facts.get(int(promoted["rerun"]), {})
        theirs = again.get("candidate") == dossier.candidate_id and again.get("outcome") == "held"
        require(theirs and dossier.stage(Stage.GATE)[0] < int(promoted["rerun"]) < seq, "its evidence was not run again")


def _version(case: _Case) -> None:
    """The code is that of the version."""
    promoted = case.dossier.facts[int(case.dossier.links[-1]["seq"])]
    require(source_hash(case.source) == promoted["hash"], "the code is not that of the version")


def _sections(case: _Case) -> None:
    """What a reader is shown follows from the facts."""
    again = json.loads(canonical(derived(case.dossier.links, case.dossier.facts, case.dossier.candidate_id)))
    for name in SECTIONS:
        require(canonical(case.bundle[name]) == canonical(again[name]), f"the section {name!r} does not follow from the facts")


def _seal(case: _Case) -> None:
    """Nothing else in the file was changed either."""
    require(case.bundle["seal"] == seal_of(case.bundle), "the seal is not that of this content")


def _evidence(check: Evidence) -> Callable[[_Case], None]:
    """A check that the shell made before it promoted, on the certificate's facts."""
    return lambda case: check(case.dossier, case.source)


_FOUND = tuple((name, _evidence(check)) for name, check in EVIDENCE)
_CHECKS: tuple[tuple[str, Callable[[_Case], None]], ...] = (
    ("chain", _chain), ("facts", _payloads), ("promotion", _promotion), *_FOUND[:-1], ("version", _version),
    ("sections", _sections), _FOUND[-1], ("seal", _seal),
)
