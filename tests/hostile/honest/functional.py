"""Iterators and functions of functions."""

from functools import cached_property, cmp_to_key, lru_cache, partial, reduce, singledispatch, total_ordering, wraps
from itertools import (
    accumulate,
    chain,
    compress,
    count,
    groupby,
    islice,
    pairwise,
    product,
    takewhile,
    tee,
    zip_longest,
)
from operator import add, itemgetter, mul, sub

from strategy.skills.book import Quiet, towards


def named(function):
    @wraps(function)
    def inner(*args, **kwargs):
        return function.__name__, function(*args, **kwargs)

    return inner


@named
def growth(values):
    return reduce(mul, (after / before for before, after in pairwise(values)), 1.0)


@singledispatch
def shown(value):
    return str(value)


@shown.register
def _(value: float):
    return f"{value:.5f}"


@lru_cache(maxsize=64)
def weight(age):
    return 0.97**age


@total_ordering
class Score:
    def __init__(self, symbol, value):
        self.symbol, self.value = symbol, value

    @cached_property
    def rounded(self):
        return round(self.value, 6)

    def __eq__(self, other):
        return self.rounded == other.rounded

    def __lt__(self, other):
        return self.rounded < other.rounded

    def __hash__(self):
        return 0


class Strategy(Quiet):
    def analyze(self, markets, portfolio, timestamp):
        scores, facts = [], {}
        for symbol, data in markets.items():
            closes = data.candles_5m["close"].to_list()[-60:]
            name, grown = growth(closes)
            peak = list(accumulate(closes, max))
            weighted = sum(map(mul, closes[::-1], map(weight, count())))
            first, second = tee(closes)
            steps = [key for key, _ in groupby(map(sub, islice(second, 1, None), first), key=lambda step: step > 0)]
            until = len(list(takewhile(lambda value, top=peak[-1]: value <= top, closes)))
            tens = sum(compress(closes, (number % 10 == 0 for number in range(len(closes)))))
            scores.append(Score(symbol, grown - 1))
            facts[symbol] = [name, grown, len(steps), weighted, until, tens, len(set(product("ab", repeat=2)))]
        order = sorted(scores, key=cmp_to_key(lambda a, b: -1 if a > b else 1))
        rank = partial(itemgetter(0), [add(1, at) for at in range(len(order))])
        flat = list(chain.from_iterable(zip_longest([1, 2], [3], fillvalue=0)))
        return [
            towards(score.symbol, score.value, portfolio, f"{at} {rank()} {flat} " + " ".join(map(shown, facts[score.symbol])))
            for at, score in enumerate(order)
        ]
