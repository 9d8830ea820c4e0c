"""The certificate of a promotion: one JSON value from which anybody can recompute, offline, why a version was promoted.

It holds the code, every link of the trial ledger up to the promotion, the facts that matter in full (this candidate's, and
every trial ever scored, whoever proposed it), and what follows from them. Verifying recomputes all of it: hashes, chain,
the gate's verdict from its stored inputs, the trials it was deflated by.

What it proves: these facts belong together and give this verdict, and no trial of this ledger was left out. What it cannot
prove: that the ledger is the only one its owner kept. Whoever rewrites a whole ledger gets a whole certificate with another
head; compare `ledger.head` with the one that a report or `brain data check` showed at the time.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from shell.errors import Rejected
from shell.promotion.certificate_facts import FORMAT, derived, seal_of
from shell.store.canonical import canonical
from shell.store.store import Store
from shell.store.types import utc_text

# Facts of these kinds are given in full whoever they are about; of the others, only this candidate's.
ALWAYS_WHOLE = ("candidate", "score", "segments", "selection_look", "vault_look")
LIBRARIES = ("numpy", "polars", "pydantic", "sqlalchemy")


def certificate_of(store: Store, version_name: str) -> dict[str, Any]:
    """The certificate of a promoted version, as JSON values. Raises Rejected for a version that no gate promoted."""
    stored = store.strategies.get(version_name)
    promotion = next((each for each in store.promotions.list() if each.version == version_name), None)
    if promotion is None or not promotion.candidate_id:
        raise Rejected(f"{version_name} was not promoted by the gate: there is nothing to certify")
    facts = {event.seq: event for event in _ledger_events(store)}
    end = max(
        seq for seq, event in facts.items()
        if event.kind == "promotion" and event.payload["candidate"] == promotion.candidate_id
    )
    links = list(store.trial_chain.links(end))
    payloads = {
        str(link.seq): canonical(facts[link.seq].payload) for link in links
        if link.kind in ALWAYS_WHOLE or facts[link.seq].payload.get("candidate") == promotion.candidate_id
    }
    bundle: dict[str, Any] = {
        "format": FORMAT,
        "source": {
            "code": stored.source.code, "skills": dict(stored.source.skills), "origin": stored.source.origin
        },
        "libraries": _libraries(),
        "ledger": {
            "head": links[-1].hash, "event_log_hash": facts[end].hash,
            "links": [
                {"number": link.number, "seq": link.seq, "kind": link.kind, "at": utc_text(link.at),
                 "payload_hash": link.payload_hash, "hash": link.hash}
                for link in links
            ],
            "payloads": payloads,
        },
    }
    facts_of_it = {int(seq): json.loads(text) for seq, text in payloads.items()}
    bundle |= derived(bundle["ledger"]["links"], facts_of_it, promotion.candidate_id)
    # As a reader of the file will have it: what survives JSON.
    whole: dict[str, Any] = json.loads(canonical(bundle))
    return {**whole, "seal": seal_of(whole)}


def certificate_text(certificate: Mapping[str, Any]) -> str:
    """The file: JSON, a value a line, keys in order."""
    return json.dumps(certificate, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _ledger_events(store: Store) -> list[Any]:
    wanted = {link.seq for link in store.trial_chain.links()}
    return [event for event in store.events.rows() if event.seq in wanted]


def _libraries() -> dict[str, str]:
    """What this was written with: the figures were made by the program that the promotion's fact names."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found
