"""What is sent of what waits: order, collapsing, quiet hours, switches and the rate, and that no halt is ever silenced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from shell.config import TelegramConfig
from shell.notices.kinds import KINDS, MUTABLE
from shell.notices.plan import is_quiet, is_urgent, plan
from shell.store.outbox import Notification

NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)  # 12:00 in New York
NIGHT = datetime(2026, 3, 2, 4, tzinfo=UTC)  # 23:00 in New York
ZONE = ZoneInfo("America/New_York")
QUIET = TelegramConfig(quiet_from="22:00", quiet_until="07:00")


def message(number: int, kind: str = "fill", severity: str = "info", at: datetime = NOON) -> Notification:
    return Notification(id=number, kind=kind, severity=severity, text=f"{kind} {number}", at=at, action="look")


def planned(waiting, config=QUIET, now=NOON, sent=()):
    return plan(waiting, config, ZONE, now, sent)


def test_a_few_go_out_one_by_one_in_order() -> None:
    found = planned([message(1), message(2, "stop", "warning"), message(3)])
    assert [parcel.ids for parcel in found.parcels] == [(1,), (2,), (3,)]
    assert [parcel.silent for parcel in found.parcels] == [True, False, True]


def test_many_of_a_kind_become_one_and_a_halt_among_them_stays_alone() -> None:
    found = planned([*(message(number) for number in range(1, 8)), message(8, "halt", "critical"), message(9)])
    assert [parcel.ids for parcel in found.parcels] == [(1, 2, 3, 4, 5, 6, 7, 9), (8,)]
    assert found.parcels[0].lines[0] == "8 fills since 17:00 UTC, the last of them:"
    assert found.parcels[0].lines[-1] == "and 5 before"


def test_quiet_hours_hold_back_all_but_halts_and_critical_ones() -> None:
    waiting = [message(1), message(2, "rollback", "warning"), message(3, "halt"), message(4, "link", "critical")]
    found = planned(waiting, now=NIGHT)
    assert [parcel.ids for parcel in found.parcels] == [(3,), (4,)]
    assert found.held == 2
    assert len(planned(waiting, now=NOON).parcels) == 4


def test_quiet_hours_follow_the_clock_on_the_wall_when_clocks_change() -> None:
    # 07:00 in New York is 12:00 UTC in winter and 11:00 UTC in summer; clocks change on 2026-03-08.
    for day, hour in ((7, 12), (8, 11)):
        ends = datetime(2026, 3, day, hour, tzinfo=UTC)
        assert is_quiet(QUIET, ZONE, ends - timedelta(minutes=1))
        assert not is_quiet(QUIET, ZONE, ends)


def test_a_kind_that_is_switched_off_is_told_to_nobody_and_no_halt_can_be() -> None:
    config = TelegramConfig(muted=("fill", "halt"))
    found = planned([message(1), message(2, "halt", "critical"), message(3, "fill", "critical")], config)
    assert found.muted == (1,)
    assert [parcel.ids for parcel in found.parcels] == [(2,), (3,)]


def test_the_rate_holds_back_what_is_not_urgent() -> None:
    config = TelegramConfig(messages_per_minute=2)
    sent = [NOON - timedelta(seconds=30), NOON - timedelta(seconds=61)]
    waiting = [message(1), message(2, "stop"), message(3, "halt", "critical")]
    assert [parcel.ids for parcel in planned(waiting, config, sent=sent).parcels] == [(1,), (3,)]


@given(
    st.lists(
        st.tuples(st.sampled_from([*KINDS, "unheard"]), st.sampled_from(["info", "warning", "critical"])), max_size=30
    ),
    st.sets(st.sampled_from(MUTABLE)), st.booleans(), st.integers(1, 5),
)
def test_every_message_is_sent_once_or_muted_or_still_waits_and_urgent_ones_are_always_sent(
    kinds, muted, at_night, rate
) -> None:
    config = QUIET.model_copy(update={"muted": tuple(sorted(muted)), "messages_per_minute": rate})
    waiting = [message(number, kind, severity) for number, (kind, severity) in enumerate(kinds, 1)]
    found = planned(waiting, config, NIGHT if at_night else NOON)
    sent = [number for parcel in found.parcels for number in parcel.ids]
    assert len(sent) == len(set(sent))
    assert not set(sent) & set(found.muted)
    assert {each.id for each in waiting if is_urgent(each)} <= set(sent)
    assert set(sent) | set(found.muted) <= {each.id for each in waiting}
    if not at_night and rate >= len(waiting):
        assert len(sent) + len(found.muted) == len(waiting)
    assert all(parcel.lines and parcel.action for parcel in found.parcels)
