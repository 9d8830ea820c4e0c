"""A certificate verifies as it was written, and no value in it can be another one: neither alone, nor with the chain redone."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shell.config import GateConfig
from shell.errors import BadInput, Rejected
from shell.gate.verdict import recheck
from shell.host.port import StrategySource
from shell.promotion.certificate import certificate_of, certificate_text
from shell.promotion.certificate_check import verify_certificate
from shell.promotion.certificate_facts import SECTIONS, derived, seal_of
from shell.promotion.swap import promote, register_workspace
from shell.promotion.workspace import Workspace
from shell.store.canonical import canonical
from shell.store.ledger_check import check_ledger
from shell.store.store import Store
from shell.store.trial_chain import EMPTY_LEDGER, link_digest, payload_digest
from tests.shell.promotion import honest

AT = datetime(2026, 2, 3, 5, tzinfo=UTC)
OTHERS = {0: 0.1, 2: -0.05, 7: 0.0}


def source(number: int) -> StrategySource:
    return StrategySource(code=f"x = {number}\n", skills={"trend": "y = 1\n"})


def other(store: Store, number: int) -> None:
    """A trial of somebody else's."""
    provider = "local" if number else "person"
    honest.scored(store, source(number), AT, sharpe=OTHERS[number], seed=50 + number, provider=provider)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Store]:
    """A home in which the second of three candidates was promoted, among facts of other kinds."""
    folder = tmp_path_factory.mktemp("promoted")
    workspace = Workspace(folder / "strategy")
    workspace.copy_from(project / "strategy")
    with Store.open(folder / "brain.db") as store:
        register_workspace(store, workspace, AT)
        other(store, 0)
        store.events.append("note", AT, {"about": "something else"})
        store.candidates.record_searches(None, 4, AT)
        promoting = honest.scored(store, source(1), AT)
        other(store, 2)
        honest.tried(store, honest.judged(store, promoting, AT), AT)
        promote(store, workspace, store.candidates.get(promoting), AT, gate=GateConfig())
        other(store, 7)
        yield store


@pytest.fixture(scope="module")
def certificate(promoted: Store) -> dict[str, Any]:
    return certificate_of(promoted, "v002")


def found(bundle: dict[str, Any]) -> str:
    """The first thing that does not hold; "" when all does."""
    try:
        return verify_certificate(certificate_text(bundle)).failure
    except BadInput as refusal:
        return str(refusal)


def redone(bundle: dict[str, Any]) -> dict[str, Any]:
    """What a forger would do after changing a fact: new hashes, new chain, new sections, new seal."""
    ledger = bundle["ledger"]
    previous = EMPTY_LEDGER
    for number, link in enumerate(ledger["links"], 1):
        if str(link["seq"]) in ledger["payloads"]:
            link["payload_hash"] = payload_digest(ledger["payloads"][str(link["seq"])])
        link["number"] = number
        previous = link["hash"] = link_digest(
            previous, number, link["seq"], link["kind"], link["at"], link["payload_hash"]
        )
    ledger["head"] = previous
    facts = {int(seq): json.loads(text) for seq, text in ledger["payloads"].items()}
    bundle |= json.loads(canonical(derived(ledger["links"], facts, "c0002")))
    bundle["seal"] = seal_of(bundle)
    return bundle


def with_fact(bundle: dict[str, Any], kind: str, change: Any, number: int = 0, name: str = "c0002") -> dict[str, Any]:
    """A copy with one fact changed by `change`, the forger's work done."""
    made = copy.deepcopy(bundle)
    payloads = made["ledger"]["payloads"]
    seqs = [
        str(link["seq"]) for link in made["ledger"]["links"]
        if link["kind"] == kind and name in payloads.get(str(link["seq"]), "")
    ]
    fact = json.loads(payloads[seqs[number]])
    change(fact)
    payloads[seqs[number]] = canonical(fact)
    return redone(made)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list) and value:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))
    else:
        yield path


def test_it_holds_as_written_and_tells_of_every_trial_whoever_proposed_it(
    certificate: dict[str, Any], promoted: Store
) -> None:
    verified = verify_certificate(certificate_text(certificate))
    assert (verified.failure, verified.version, verified.candidate_id) == ("", "v002", "c0002")
    assert [each["provider"] for each in certificate["trials"]["scores"]] == ["person", "local", "local"]
    assert certificate["trials"]["scored"] == 3
    assert certificate["gate"]["verdict"] == "passed"
    assert certificate["promotion"]["program"]["code"]
    assert check_ledger(promoted).whole
    heads = [link.hash for link in promoted.trial_chain.links()]
    assert certificate["ledger"]["head"] in heads


def test_the_same_home_gives_the_same_certificate(certificate: dict[str, Any], promoted: Store) -> None:
    assert certificate_of(promoted, "v002") == certificate


@pytest.mark.parametrize("version", ["v000", "v001"])
def test_what_no_gate_promoted_has_none(version: str, promoted: Store) -> None:
    with pytest.raises(Rejected, match="not promoted by the gate"):
        certificate_of(promoted, version)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', "no json", "\x00"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no certificate"):
        verify_certificate(text)


@given(data=st.data())
def test_no_value_can_be_another_one(certificate: dict[str, Any], data: st.DataObject) -> None:
    made = copy.deepcopy(certificate)
    path = data.draw(st.sampled_from(sorted(leaves(made), key=str)))
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    was = place[path[-1]]
    other = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-1, 1), st.text("ab0", max_size=4))
        .filter(lambda value: canonical(value) != canonical(was))
    )
    place[path[-1]] = other
    assert found(made), path


@given(data=st.data())
def test_no_value_can_be_left_out(certificate: dict[str, Any], data: st.DataObject) -> None:
    made = copy.deepcopy(certificate)
    path = data.draw(st.sampled_from(sorted(leaves(made), key=str)))
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    assert found(made), path


@given(data=st.data())
def test_no_character_of_a_fact_or_of_the_code_can_be_another_one(
    certificate: dict[str, Any], data: st.DataObject
) -> None:
    made = copy.deepcopy(certificate)
    payloads = made["ledger"]["payloads"]
    seq = data.draw(st.sampled_from(sorted(payloads)))
    text = payloads[seq]
    at = data.draw(st.integers(0, len(text) - 1))
    payloads[seq] = text[:at] + ("7" if text[at] != "7" else "8") + text[at + 1:]
    made["seal"] = seal_of(made)
    assert found(made).startswith("facts: ")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_for_readers_cannot_say_other_than_the_facts(section: str, certificate: dict[str, Any]) -> None:
    made = copy.deepcopy(certificate)
    made[section] = {"nothing": "here"}
    made["seal"] = seal_of(made)
    assert found(made) == f"sections: the section {section!r} does not follow from the facts"


def put(*path: Any, value: Any) -> Any:
    """A change of one value, nothing else redone."""

    def change(bundle: dict[str, Any]) -> None:
        place: Any = bundle
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


def without_a_score(bundle: dict[str, Any]) -> None:
    payloads = bundle["ledger"]["payloads"]
    del payloads[next(seq for seq, text in payloads.items() if '"daily_returns"' in text and '"c0001"' in text)]


# One of every class of field that the file has, changed by hand, and what is said of it.
TAMPERED = {
    "chain: link 2 does not follow": put("ledger", "links", 1, "at", value="2026-02-03T06:00:00+00:00"),
    "chain: link 3 does not follow": put("ledger", "links", 2, "kind", value="score"),
    "chain: link 4 does not follow": put("ledger", "links", 3, "hash", value="0" * 64),
    "chain: link 1 does not follow": put("ledger", "links", 0, "payload_hash", value="0" * 64),
    "chain: the head is not the last link's hash": put("ledger", "head", value="0" * 64),
    "facts: the score of fact": without_a_score,
    "facts: fact 999 has no link": put("ledger", "payloads", "999", value="{}"),
    "code: the code is not that of the candidate": put("source", "skills", "trend", value="y = 2\n"),
    "sections: the section 'promotion'": put("promotion", "version", value="v009"),
    "sections: the section 'candidate'": put("candidate", "hypothesis", value="another story"),
    "sections: the section 'trials'": put("trials", "scored", value=1),
    "sections: the section 'gate'": put("gate", "verdict", value="refused"),
    "sections: the section 'stages'": put("stages", 0, "passed", value=False),
    "sections: the section 'data'": put("data", "hashes", value=[]),
    "seal: the seal is not that of this content": put("libraries", "numpy", value="0.0"),
    "this is no certificate: its format is not": put("format", value="trading-brain certificate 9"),
}


@pytest.mark.parametrize("told", TAMPERED)
def test_of_every_class_of_field_it_is_said_what_is_wrong(told: str, certificate: dict[str, Any]) -> None:
    made = copy.deepcopy(certificate)
    TAMPERED[told](made)
    assert found(made).startswith(told)


def other_code(bundle: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(bundle)
    made["source"]["code"] = "x = 99\n"
    return redone(made)


def without(kind: str, name: str) -> Any:
    def change(bundle: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(bundle)
        ledger = made["ledger"]
        gone = [
            link for link in ledger["links"]
            if link["kind"] == kind and f'"{name}"' in ledger["payloads"].get(str(link["seq"]), "")
        ]
        ledger["links"] = [link for link in ledger["links"] if link not in gone]
        for link in gone:
            ledger["payloads"].pop(str(link["seq"]))
        return redone(made)

    return change


def in_inputs(number: int, **changes: Any) -> Any:
    """A changed gate stage (number 2) or an earlier one, its chain redone; a value that can be called changes what is there."""

    def change(fact: dict[str, Any]) -> None:
        values = fact["inputs"]["inputs"] if "thresholds" in fact["inputs"] else fact["inputs"]
        for name, value in changes.items():
            values[name] = value(values[name]) if callable(value) else value

    return lambda bundle: with_fact(bundle, "stage", change, number=number)


FORGERIES = {
    "inputs: answers_hash is not what its stages": in_inputs(0, answers_hash="another"),
    "inputs: stressed_return_pct is not what its stages": in_inputs(1, stressed={"metrics": {"total_return_pct": 0.5}}),
    "inputs: run is not what its stages": in_inputs(2, run=lambda run: run | {"trades": 99}),
    "inputs: daily_returns is not what its stages": in_inputs(2, daily_returns=lambda values: [*values[1:], 0.01]),
    "inputs: undeclared_numbers is not what its stages": in_inputs(2, undeclared_numbers=4),
    "dear: its look at the vault was not one at 36 days": in_inputs(2, vault=lambda look: look | {"days": 3}),
    "order: the shell began no paper trial of it": without("paper_started", "c0002"),
    "inputs: its backtest names other days": lambda bundle: with_fact(
        bundle, "segments", lambda fact: fact.update(selection_start="2025-01-01T00:00:00Z"), name="2026Q1"
    ),
    "trials: the ledger holds no score of it on the candles": lambda bundle: with_fact(
        bundle, "score", lambda fact: fact.update(data_hash="d9")
    ),
    "code: the code is not that of the candidate": other_code,
    "order: it looked 0 times into the vault, not once": without("vault_look", "c0002"),
    "promotion: its evidence was not run again": without("rerun", "c0002"),
    "promotion: its evidence was not run": lambda bundle: with_fact(
        bundle, "rerun", lambda fact: fact.update(outcome="differs")
    ),
    "order: it was never scored on the selection segment": without("selection_look", "c0002"),
    "scores: the score of c0001 is not true: its daily returns have a Sharpe ratio of": lambda bundle: with_fact(
        bundle, "score", lambda fact: fact.update(sharpe=0.01), name="c0001"
    ),
    "gate: recomputed from its inputs its checks show other numbers": lambda bundle: with_fact(
        bundle, "stage", lambda fact: fact["inputs"]["thresholds"].update(min_trades=3), number=2
    ),
    "gate: recomputed from its inputs it refuses": lambda bundle: with_fact(
        bundle, "stage", lambda fact: fact["inputs"]["thresholds"].update(min_trades=99), number=2
    ),
    "promotion: the ledger holds no passed promote stage": lambda bundle: with_fact(
        bundle, "stage", lambda fact: fact.update(passed=False), number=4
    ),
    "promotion: the ledger holds no passed paper stage": lambda bundle: with_fact(
        bundle, "stage", lambda fact: fact.update(passed=False), number=3
    ),
}


@pytest.mark.parametrize("told", FORGERIES)
def test_a_forger_who_redoes_chain_and_seal_is_found_by_what_no_longer_fits(
    told: str, certificate: dict[str, Any]
) -> None:
    assert found(FORGERIES[told](certificate)).startswith(told)


def test_a_trial_that_the_gate_did_not_count_is_found(certificate: dict[str, Any]) -> None:
    def forget(fact: dict[str, Any]) -> None:
        inputs = {**fact["inputs"]["inputs"]}
        inputs["trial_sharpes"] = inputs["trial_sharpes"][:2]
        thresholds = GateConfig(**fact["inputs"]["thresholds"])
        fact["inputs"] = {"inputs": inputs, "thresholds": thresholds.model_dump(mode="json")}
        fact["inputs"]["checks"] = [check.as_dict() for check in recheck(fact["inputs"]).checks]

    made = with_fact(certificate, "stage", forget, number=2)
    assert found(made) == "trials: the gate did not count the trial of c0003"


def test_an_honest_rewrite_changes_the_head(certificate: dict[str, Any]) -> None:
    """What a certificate cannot prove: a whole other ledger. It has another head, which is what one compares."""
    made = with_fact(certificate, "candidate", lambda fact: fact.update(hypothesis="another story"))
    assert found(made) == ""
    assert made["ledger"]["head"] != certificate["ledger"]["head"]
