"""What a seed draws for a long life: signals and prices around 30,000."""

from __future__ import annotations

import random

from shell.contract import Action, OrderType, Signal
from tests.shell.exchange.live.stage import BTC, buy, limit_buy

PRICES = (29_990, 29_850, 29_450, 28_950, 30_100, 30_650)


def drawn_signal(chance: random.Random) -> Signal:
    stop = chance.choice((29_000.0, 29_500.0, 29_800.0))
    return chance.choice(
        (
            buy(stop), buy(stop, chance.choice((30_050.0, 30_600.0))), limit_buy(29_900.0, 29_000.0),
            limit_buy(30_050.0, 29_500.0), Signal(BTC, Action.MODIFY, stop_loss=stop), Signal(BTC, Action.SELL, 0.04),
            Signal(BTC, Action.CLOSE), Signal(BTC, Action.CLOSE, order_type=OrderType.LIMIT, limit_price=30_400.0),
        )
    )


def drawn_price(chance: random.Random) -> str:
    return f"{chance.choice(PRICES)}.0"
