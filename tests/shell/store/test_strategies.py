"""Versions, the active one, the way back, and what each asked to have kept."""

from __future__ import annotations

import pytest

from shell.answers import Promotion
from shell.errors import NotNow, Rejected
from shell.host.port import StrategySource
from shell.store.store import Store
from tests.shell.store.examples import minutes
from tests.shell.store.older import turn_back


def source(text: str) -> StrategySource:
    return StrategySource(code=f"# {text}\n", skills={"trend": "X = 1\n"}, origin="strategy.py")


def insert(store: Store, version: str, parent: str = "") -> None:
    code = source(version)
    store.strategies.insert(
        version=version, hash=store.strategies.hash_of(code), parent=parent, hypothesis=f"{version} is better",
        source=code,
    )


def promote(store: Store, version: str, previous: str, minute: float) -> None:
    insert(store, version, previous)
    candidate = f"c-{version}"
    store.promotions.prepare(
        Promotion(candidate_id=candidate, version=version, previous=previous, hash="h", at=minutes(minute))
    )
    store.strategies.activate(version, minutes(minute))
    store.promotions.commit(candidate)


def test_a_version_comes_back_with_its_source(store):
    insert(store, "v000")
    found = store.strategies.get("v000")
    assert found.source == source("v000")
    assert found.hash == store.strategies.hash_of(source("v000"))
    assert (found.state, found.promoted_at) == ("archived", None)
    assert store.strategies.list() == [found]


def test_one_version_is_active_at_a_time(store):
    with pytest.raises(NotNow, match="no strategy is active yet"):
        store.strategies.active()
    insert(store, "v000")
    insert(store, "v001", "v000")
    store.strategies.activate("v000", minutes(0))
    store.strategies.activate("v001", minutes(5))
    assert store.strategies.active().version == "v001"
    assert [(row.version, row.state, row.promoted_at) for row in store.strategies.index()] == [
        ("v000", "retired", minutes(0)), ("v001", "active", minutes(5)),
    ]
    store.strategies.activate("v001", minutes(9))
    assert store.strategies.active().promoted_at == minutes(5)


def test_a_version_stands_for_one_source(store):
    insert(store, "v001")
    insert(store, "v001")
    with pytest.raises(Rejected, match="v001 is already another strategy"):
        store.strategies.insert(version="v001", hash="other", parent="", hypothesis="", source=source("x"))
    with pytest.raises(Rejected, match="there is no strategy version v009"):
        store.strategies.get("v009")
    assert len(store.strategies.list()) == 1


def test_the_way_back_is_what_was_replaced_not_the_number_below(store):
    insert(store, "v000")
    insert(store, "v001", "v000")
    store.strategies.activate("v001", minutes(0))
    promote(store, "v002", "v001", 5)
    store.strategies.activate("v001", minutes(6))
    promote(store, "v003", "v001", 7)
    assert store.strategies.before("v003") == "v001"
    assert store.strategies.before("v001") == "v000"
    assert store.strategies.before("v000") == "v000"


def test_state_is_kept_for_one_book_and_one_hash(database):
    with Store.open(database) as store:
        store.strategies.save_state("main", "h1", {"b": 1, "a": [float("inf")]})
        store.strategies.save_state("main", "h1", {"z": 2, "a": 1.5})
    with Store.open(database) as store:
        assert list(store.strategies.load_state("main", "h1").items()) == [("z", 2), ("a", 1.5)]
        assert store.strategies.load_state("main", "h2") is None
        assert store.strategies.load_state("trial:t0001", "h1") is None


def promotion(candidate: str = "c0001") -> Promotion:
    return Promotion(candidate_id=candidate, version="v002", previous="v001", hash="h", at=minutes(1))


def test_a_prepared_promotion_is_unfinished_until_it_ends(database):
    with Store.open(database) as store:
        store.promotions.prepare(promotion())
        store.promotions.prepare(promotion())
        with pytest.raises(NotNow, match="the promotion of c0001 is not finished"):
            store.promotions.prepare(promotion("c0002"))
    with Store.open(database) as store:
        assert store.promotions.unfinished() == ["c0001"]
        assert store.promotions.committed("c0001") is None
        assert store.promotions.abort("c0001")
        assert not store.promotions.abort("c0001")
        assert store.promotions.unfinished() == []
        assert store.promotions.list() == []
        store.promotions.prepare(promotion())
        store.promotions.commit("c0001")
        assert store.promotions.committed("c0001") == promotion()
        assert store.promotions.list() == [promotion()]


def test_a_committed_promotion_is_neither_repeated_nor_aborted(store):
    store.promotions.prepare(promotion())
    store.promotions.commit("c0001")
    store.promotions.commit("c0001")
    assert not store.promotions.abort("c0001")
    assert store.promotions.committed("c0001") == promotion()
    with pytest.raises(NotNow, match="promoted already"):
        store.promotions.prepare(promotion())
    with pytest.raises(NotNow, match="no promotion of c0002 was prepared"):
        store.promotions.commit("c0002")


def test_a_commit_is_undone_with_the_transaction_around_it(store):
    store.promotions.prepare(promotion())

    def crash() -> None:
        with store.transaction():
            store.promotions.commit("c0001")
            raise KeyError

    with pytest.raises(KeyError):
        crash()
    assert store.promotions.unfinished() == ["c0001"]


def test_quarantine_is_by_code_and_marks_every_version_of_it(store):
    for version, parent in (("v000", ""), ("v001", "v000"), ("v002", "v001")):
        insert(store, version, parent)
    same = source("v001")
    store.strategies.insert(version="v003", hash=store.strategies.hash_of(same), parent="v002", hypothesis="", source=same)
    store.strategies.activate("v001", minutes(0))
    digest = store.strategies.hash_of(same)
    assert store.strategies.quarantine_of(digest) is None
    assert store.strategies.quarantine(digest, "v001", "it tried to open a socket", minutes(5))
    assert not store.strategies.quarantine(digest, "c0009", "again", minutes(9))
    (found,) = store.strategies.quarantined()
    assert (found.hash, found.name, found.sentence, found.at) == (digest, "v001", "it tried to open a socket", minutes(5))
    assert [row.state for row in store.strategies.list()] == ["archived", "active", "archived", "quarantined"]
    store.strategies.activate("v000", minutes(6))
    assert [row.state for row in store.strategies.list()] == ["active", "quarantined", "archived", "quarantined"]
    assert [event.payload["name"] for event in store.events.rows(kind="quarantine")] == ["v001"]
    for version in ("v001", "v003"):
        with pytest.raises(Rejected, match="is in quarantine and never runs again: v001 was caught at .* it tried to open"):
            store.strategies.activate(version, minutes(7))
    assert store.strategies.active().version == "v000"


def test_the_way_back_passes_over_what_is_in_quarantine(store):
    insert(store, "v000")
    insert(store, "v001", "v000")
    store.strategies.activate("v001", minutes(0))
    promote(store, "v002", "v001", 5)
    promote(store, "v003", "v002", 7)
    assert store.strategies.before("v003") == "v002"
    store.strategies.quarantine(store.strategies.get("v002").hash, "v002", "caught", minutes(8))
    assert store.strategies.before("v003") == "v001"
    store.strategies.quarantine(store.strategies.get("v001").hash, "v001", "caught", minutes(9))
    assert store.strategies.before("v003") == "v000"


@pytest.mark.sqlite
def test_a_home_of_the_first_schema_gets_its_quarantine(database):
    with Store.open(database) as store:
        insert(store, "v001")
    turn_back(database, "0001")
    with Store.open(database) as store:
        assert store.strategies.get("v001").version == "v001"
        assert store.strategies.quarantine("h", "v001", "caught", minutes(0))
