"""Queues, counters, heaps and sorted lists."""

import bisect
import heapq
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from operator import itemgetter

from strategy.skills.book import Quiet, towards

Level = namedtuple("Level", "price count")


class Strategy(Quiet):
    def initialize(self, risk_limits, symbols):
        super().initialize(risk_limits, symbols)
        self.recent = {symbol: deque(maxlen=6) for symbol in symbols}
        self.votes = Counter()
        self.sorted = defaultdict(list)
        self.settings = ChainMap({"top": 3}, {"top": 5, "floor": 0.0})

    def analyze(self, markets, portfolio, timestamp):
        ranking, signals = [], []
        for symbol in sorted(markets):
            price = markets[symbol].current_price
            self.recent[symbol].append(price)
            bisect.insort(self.sorted[symbol], price)
            place = bisect.bisect_left(self.sorted[symbol], price) / len(self.sorted[symbol])
            heapq.heappush(ranking, (-place, symbol))
            levels = Counter(round(close, 1) for close in markets[symbol].candles_5m["close"].to_list())
            top = [
                Level(*item)
                for item in sorted(levels.most_common(), key=lambda item: (-item[1], item[0]))[: self.settings["top"]]
            ]
            self.votes[symbol] += top[0].count
        places = OrderedDict((symbol, -place) for place, symbol in [heapq.heappop(ranking) for _ in range(len(ranking))])
        first, second = heapq.nlargest(2, self.votes.items(), key=itemgetter(1))
        for symbol, place in places.items():
            moved = self.recent[symbol][-1] - self.recent[symbol][0]
            why = f"place {place:.3f}, moved {moved:.4f}, votes {self.votes[symbol]}, first {first[0]}, second {second[1]}"
            signals.append(towards(symbol, place, portfolio, why))
        return signals

    def get_state(self):
        return {"votes": dict(self.votes), "recent": {symbol: list(prices) for symbol, prices in self.recent.items()},
                "sorted": dict(self.sorted)}  # fmt: skip

    def load_state(self, state):
        self.votes = Counter(state["votes"])
        for symbol, prices in state["recent"].items():
            self.recent[symbol].extend(prices)
        self.sorted.update({symbol: list(prices) for symbol, prices in state["sorted"].items()})
