"""A strategy that reaches out at every moment at which the host runs any of its code; FOLDER stands for a folder's name.

Read as text, like every hostile module; the test puts a real folder's name in.
"""

import os

TRIED = []


def reach(entry):
    TRIED.append(entry)
    try:
        os.mkdir(f"FOLDER/{entry}")
    except OSError:
        pass


reach("import")


class Decorated:
    def __set_name__(self, owner, name):
        reach("name")


class Strategy:
    reach("class")
    decorated = Decorated()

    def __init_subclass__(cls):
        reach("subclass")

    def __new__(cls):
        reach("new")
        return object.__new__(cls)

    def __init__(self):
        reach("constructor")

    def __getattribute__(self, name):
        reach("attribute")
        return object.__getattribute__(self, name)

    @property
    def scan_interval_minutes(self):
        reach("interval")
        return 5

    def initialize(self, risk_limits, symbols):
        import strategy.skills.reaching

        assert strategy
        reach("initialize")

    def load_state(self, state):
        reach("load_state")

    def on_fill(self, symbol, action, qty, price, intent):
        reach("on_fill")

    def on_position_closed(self, symbol, pnl, pnl_pct):
        reach("on_position_closed")

    def analyze(self, markets, portfolio, timestamp):
        reach("analyze")
        return Late()

    def get_state(self):
        reach("get_state")
        return {"tried": sorted(set(TRIED))}


class Late(list):
    def __len__(self):
        reach("length")
        return 0

    def __iter__(self):
        reach("iteration")
        return iter(())
