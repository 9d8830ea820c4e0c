"""Lives under faults whose database is taken back to an older copy, again and again, while positions, stops and orders stand.

After each such start the books must follow the exchange, halt openings where they had lost orders, and sell nothing twice.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults.account_world import AccountWorld
from tests.faults.drawn import drawn_price, drawn_signal
from tests.faults.execution_world import Tally
from tests.faults.storm import RISK

SCANS = 40
COPIES_KEPT = 12
SCANS_BETWEEN_JUDGEMENTS = 8


def older_copies(folder: Path, seed: int, *, scans: int = SCANS, restores: float = 0.15) -> Tally:
    """One life; `tally.restarts` counts deaths, `tally.restores` those that found an older copy."""
    chance = random.Random(seed)
    on = AccountWorld(folder, risk=RISK)
    copies: list[Path] = []
    try:
        on.step(1)
        for number in range(scans):
            on.plan({"seed": chance.randrange(2**31), "rate": chance.choice((0, 0.1, 0.3))})
            on.host.script = {on.host.scans: [drawn_signal(chance)]}
            on.scan()
            for part in range(chance.randint(1, 3)):
                drawn = chance.random()
                if drawn < restores and copies:
                    on.restored(copies.pop(chance.randrange(len(copies))))
                    on.tally.restores += 1
                elif drawn < restores + 0.1:
                    on.restart()
                if chance.random() < 0.3:
                    copies.append(on.copied(f"copy-{number}-{part}.db"))
                    if len(copies) > COPIES_KEPT:
                        copies.pop(0).unlink()
                if chance.random() < 0.3:
                    on.price(drawn_price(chance), tell=chance.random() < 0.8)
                on.step(chance.choice((1, 4, 16)))
            if chance.random() < 0.05:
                on.kill()
            if number % SCANS_BETWEEN_JUDGEMENTS == SCANS_BETWEEN_JUDGEMENTS - 1:
                on.quiet()
                on.judge()
                on.lift()
        on.quiet()
        return on.judge()
    finally:
        on.close()
