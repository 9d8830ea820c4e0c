"""What counts as working: entries, exits, and orders that the venue has not taken yet."""

from __future__ import annotations

from shell.money import NO_MONEY, NO_QTY, BaseQty, QuoteAmount
from shell.orders import Purpose
from shell.risk.view import being_sold, reserved, working_entries
from tests.shell.risk.cases import BTC, ETH, view, working


def test_reservations_add_up_whether_the_venue_has_the_order_or_not():
    entry = working(Purpose.ENTRY, reserved="100.5")
    in_flight = working(Purpose.ENTRY, symbol=ETH, reserved="20", intent_id="next").approved
    assert reserved([entry, in_flight, working(Purpose.EXIT)]) == QuoteAmount("120.5")
    assert reserved([]) == NO_MONEY


def test_stops_and_targets_count_as_sales_and_not_as_entries():
    entry = working(Purpose.ENTRY, "9")
    account = view(
        working=[entry, working(Purpose.EXIT, "1"), working(Purpose.STOP, "2"), working(Purpose.TARGET, "3")]
    )
    assert working_entries(account) == [entry]
    assert being_sold(account, BTC) == BaseQty(6)
    assert being_sold(account, ETH) == NO_QTY
