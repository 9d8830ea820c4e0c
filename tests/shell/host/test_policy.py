"""Wall 1: ordinary numeric code passes untouched, escapes are refused with the line and what to do instead."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shell.errors import StrategyRejected
from shell.host.policy import check_policy, require_policy
from shell.host.port import StrategySource
from tests.shell.host.sources import BODY_LINE, strategy

SKILLS = {"trend": "import numpy as np\n\n\ndef up(x):\n    return float(np.mean(x))\n", "size": "FRACTION = 0.1\n"}

GOOD = [
    "import random\nrandom.Random(7).shuffle([1])\nrandom.Random(7).sample([1, 2], 1)\nrandom.Random(7).sample([1, 2], k=1)",
    "np.random.default_rng(7).shuffle([1])\npl.Series([1]).shuffle(seed=7)\npl.DataFrame().sample(5, seed=7)",
    "np.datetime64('2026-01-01')\nlabel = {'now': 1}",
    "closes = markets['BTC/USD'].candles_1h['close'].to_numpy()\nfast = np.mean(closes[-8:])",
    "frame = markets['BTC/USD'].candles_5m.with_columns(pl.col('close').ewm_mean(span=9).alias('fast'), x=pl.lit(1))",
    "frame = markets['BTC/USD'].candles_1d.lazy().filter(pl.col('volume') > 0).select(pl.all().last()).collect()",
    "frame.group_by_dynamic('timestamp', every='4h').agg(pl.col('high').max(), pl.col('low').min()) if (frame := None) else 0",
    "x = np.linalg.lstsq(np.ones((3, 1)), np.arange(3.0), rcond=None)[0]\ny = np.fft.rfft(np.ones(8))",
    "from numpy.lib.stride_tricks import sliding_window_view\nw = sliding_window_view(np.arange(9), 3)",
    "rng = np.random.default_rng(7)\nrng.shuffle([1, 2])\nimport random\nr = random.Random(3)\nr.sample([1, 2], 1)",
    "from random import Random\nfrom statistics import fmean\nfrom collections import deque, defaultdict\nd = deque(maxlen=3)",
    "from datetime import datetime, timedelta, timezone\nday = datetime(2024, 1, 1, tzinfo=timezone.utc) + timedelta(days=1)",
    "import datetime as dt\nage = timestamp - dt.timedelta(hours=4)\nhour = timestamp.hour\ntext = timestamp.strftime('%H')",
    "open = markets['BTC/USD'].candles_5m['open'][-1]\nexit = open < 3\nif exit: pass",
    "reason = f'{self.count:>4} {timestamp:%H:%M}'\nother = '{} of {}'.format(1, 2)\nmore = '{name!r:>{w}}'.format(name=1, w=5)",
    "self._cache = {}\nself._cache.update(a=1)\nvalue = getattr(self, '_cache', None)\nsetattr(self, 'now', timestamp)",
    "self.now = timestamp\nlater = self.now",
    "try:\n    x = 1 / 0\nexcept (ZeroDivisionError, KeyError) as error:\n    x = 0\nfinally:\n    pass",
    "from dataclasses import dataclass, field, replace\n@dataclass(frozen=True, slots=True)\nclass P:\n    a: int = 1\n    def __post_init__(self): pass",
    "from typing import NamedTuple\nclass Q(NamedTuple):\n    a: int\nq = Q(1)._replace(a=2)._asdict()",
    "from enum import Enum\nclass Mode(str, Enum):\n    UP = 'up'\nname = Mode.UP.name",
    "from functools import lru_cache, partial, reduce\nfrom itertools import pairwise\nfrom operator import itemgetter\nimport heapq, bisect, math, re",
    "import re\nm = re.compile('a+').match('aa')\nimport copy\nc = copy.deepcopy({})\nimport string\ns = string.ascii_letters",
    "from decimal import Decimal\nd = Decimal('1.5').quantize(Decimal(1))",
    "from strategy.skills import trend\nfrom strategy.skills.size import FRACTION\nu = trend.up([FRACTION])",
    "import strategy.skills.trend as t\nu = t.up([1.0])\nimport strategy.skills.size\nf = strategy.skills.size.FRACTION",
    "from shell import contract, indicators\na = contract.Action.BUY\nfrom shell.indicators import ema, last\ne = last(ema(markets['BTC/USD'], '1h', 21))",
    "import shell.indicators as ind, shell.contract\nb = shell.contract.Signal('BTC/USD', Action.BUY)\nr = ind.rsi(markets['BTC/USD'], '1h')",
    "global COUNTER\nCOUNTER = 1\nprint(COUNTER)",
    "match self.count:\n    case int() if self.count > 3: pass\n    case _: pass",
    "import polars.selectors as cs\nn = pl.DataFrame({'a': [1]}).select(cs.numeric())\ne = pl.exceptions.ColumnNotFoundError",
    "load_factor = self.load_factor() if hasattr(self, 'load_factor') else 0\nself.read_trend = 1\nself.save = 2",
    "import collections\nq = collections.OrderedDict()\nisinstance(q, collections.abc.Mapping)",
    "type(self).__name__",
    "text = pl.format('{} x', pl.col('close'))",
]  # fmt: skip

BAD = [
    ("import os", "IMPORT", "no files and no environment"),
    ("import os.path as p", "IMPORT", "no files"),
    ("from os import system", "IMPORT", "no files"),
    ("import time", "IMPORT", "analyze's `timestamp`"),
    ("import pandas as pd", "IMPORT", "use polars"),
    ("import requests", "IMPORT", "no network"),
    ("import shell", "IMPORT", "only shell.contract and shell.indicators"),
    ("from shell.host import supervisor", "IMPORT", "only shell.contract and shell.indicators"),
    ("import shell.indicators\nshell.host", "IMPORT", "only shell.contract and shell.indicators"),
    ("from shell.indicators import series", "IMPORT", "leads to a module"),
    ("indicators.series.np.load('x')", "ATTRIBUTE", "leads to a module"),
    ("from strategy.skills import absent", "IMPORT", "those that exist: size, trend"),
    ("from . import x", "IMPORT", "relative imports"),
    ("from numpy import *", "IMPORT", "name what you use"),
    ("from numpy import load", "IMPORT", "numpy.load is not allowed"),
    ("from polars import read_csv as r", "IMPORT", "polars.read_csv is not allowed"),
    ("from polars import io", "IMPORT", "leads to a module"),
    ("import polars.io", "IMPORT", "may not be imported"),
    ("import numpy.ctypeslib", "IMPORT", "may not be imported"),
    ("from operator import attrgetter", "IMPORT", "attrgetter is not allowed"),
    ("import operator as op\nop.methodcaller('x')", "ATTRIBUTE", "methodcaller is not allowed"),
    ("from types import FunctionType", "IMPORT", "of types only"),
    ("from random import random", "IMPORT", "of random only Random"),
    ("import random\nrandom.shuffle([1])", "ATTRIBUTE", "of random only Random"),
    ("import random\nrandom.Random()", "RANDOM", "needs a seed"),
    ("np.random.rand(3)", "ATTRIBUTE", "of numpy.random only"),
    ("np.random.default_rng()", "RANDOM", "needs a seed"),
    ("from numpy.random import default_rng\ndefault_rng(None)", "RANDOM", "needs a seed"),
    ("from datetime import datetime\ndatetime.now()", "CLOCK", "use analyze's `timestamp`"),
    ("import datetime as d\nd.datetime.utcnow()", "CLOCK", "clock"),
    ("from datetime import date\nf = date.today", "CLOCK", "clock"),
    ("np.datetime64('now')", "CLOCK", '"now" and "today" in numpy.datetime64'),
    ("from numpy import datetime64 as d\nd(' Today', 'D')", "CLOCK", "numpy.datetime64"),
    ("np.array(['NOW'], 'M8[s]')", "CLOCK", "numpy.array"),
    ("pl.Series([1]).shuffle()", "RANDOM", ".shuffle of polars needs a seed"),
    ("pl.DataFrame().sample(5)", "RANDOM", ".sample of polars needs a seed"),
    ("pl.DataFrame().sample(fraction=0.5)", "RANDOM", "needs a seed"),
    ("eval('1')", "NAME", "code made at run time"),
    ("exec('1')", "NAME", "code made at run time"),
    ("compile('1', 'x', 'exec')", "NAME", "code made at run time"),
    ("__import__('os')", "NAME", "code made at run time"),
    ("open('x')", "NAME", "no files"),
    ("[open for open in [1]]\nopen('x')", "NAME", "no files"),
    ("f = lambda x=open('y'), open=1: open", "NAME", "no files"),
    ("def f(x=open('y'), open=1): return open", "NAME", "no files"),
    ("global open\nopen = 3", "NAME", "choose another"),
    ("globals()['x']", "NAME", "attributes of self"),
    ("vars(self)", "NAME", "attributes of self"),
    ("__builtins__", "NAME", "may not be used"),
    ("id(self)", "NAME", "changes from run to run"),
    ("hash('a')", "NAME", "changes from run to run"),
    ("memoryview(b'')", "NAME", "may not be used"),
    ("raise SystemExit", "NAME", "no place"),
    ("try:\n    pass\nexcept BaseException:\n    pass", "NAME", "no place"),
    ("getattr(self, 'a' + 'b')", "NAME", "written out"),
    ("getattr(np, '__dict__')", "DUNDER", "may not be used"),
    ("list(map(getattr, [], []))", "NAME", "called directly"),
    ("().__class__.__bases__[0].__subclasses__()", "DUNDER", ".__class__"),
    ("self.__dict__", "DUNDER", ".__dict__"),
    ("(lambda: 0).__globals__", "DUNDER", ".__globals__"),
    ("(x for x in []).gi_frame.f_back", "ATTRIBUTE", "frames"),
    ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.with_traceback(None).tb_frame", "ATTRIBUTE", "frames"),
    ("str.mro()", "ATTRIBUTE", "frames"),
    ("match self:\n    case object(__class__=c): pass", "DUNDER", ".__class__"),
    ("'{0.__class__}'.format(1)", "FORMAT", "f-string"),
    ("'{0[__x__]}'.format({})", "FORMAT", "f-string"),
    ("t = '{0.x}'\nt.format(1)", "FORMAT", "f-string"),
    ("'{a}'.format_map({})", "FORMAT", "f-string"),
    ("from string import Formatter", "IMPORT", "Formatter is not allowed"),
    ("import dataclasses\ndataclasses.sys.modules", "ATTRIBUTE", "leads to a module"),
    ("import re\nre._parser", "ATTRIBUTE", "private"),
    ("pl.read_csv('x')", "ATTRIBUTE", "polars.read_csv is not allowed"),
    ("pl.scan_parquet('x')", "ATTRIBUTE", "not allowed"),
    ("markets['BTC/USD'].candles_5m.write_csv('x')", "ATTRIBUTE", ".write_csv is not allowed"),
    ("pl.DataFrame().lazy().sink_csv('x')", "ATTRIBUTE", ".sink_csv is not allowed"),
    ("pl.sql('select 1')", "ATTRIBUTE", "not allowed"),
    ("pl.DataFrame()._df", "ATTRIBUTE", "underscore"),
    ("pl.col('a').register_plugin('x')", "ATTRIBUTE", "not allowed"),
    ("np.load('x')", "ATTRIBUTE", "not allowed"),
    ("np.memmap('x')", "ATTRIBUTE", "not allowed"),
    ("np.ones(3).tofile('x')", "ATTRIBUTE", "not allowed"),
    ("np.ones(3).ctypes.data", "ATTRIBUTE", "not allowed"),
    ("np.ones(3)[1:].base[0]", "ATTRIBUTE", "not allowed"),
    ("np.lib.stride_tricks.as_strided(np.ones(3), (9,))", "ATTRIBUTE", "only sliding_window_view"),
    ("np.lib.format.open_memmap('x')", "ATTRIBUTE", "leads to a module"),
    ("np.testing.assert_equal(1, 1)", "ATTRIBUTE", "not allowed"),
    ("x = np\nx.load('x')", "NAME", "only be used as np.something"),
    ("f = [np.random]", "NAME", "member named behind it"),
    ("np.mean = max", "ATTRIBUTE", "may not be replaced"),
    ("type('X', (), {})", "NAME", "write a class statement"),
    ("class M(type): pass", "NAME", "metaclasses"),
    ("class M(metaclass=max): pass", "NAME", "metaclass"),
    ("class M:\n    def __reduce__(self): pass", "DUNDER", "__reduce__ may not be defined"),
    ("class M:\n    def __getattribute__(self, n): pass", "DUNDER", "may not be defined"),
    ("__class__ = 3", "DUNDER", "may not be"),
    ("import typing\ntyping.get_type_hints(self)", "ATTRIBUTE", "not allowed"),
]  # fmt: skip


def source(body: str) -> StrategySource:
    made = strategy(body)
    return StrategySource(code=made.code, skills=SKILLS)


@pytest.mark.parametrize("body", GOOD)
def test_ordinary_code_passes(body: str) -> None:
    assert check_policy(source(body)) == []


@pytest.mark.parametrize(("body", "code", "says"), BAD)
def test_an_escape_is_refused_with_its_line_and_a_sentence(body: str, code: str, says: str) -> None:
    findings = check_policy(source(body))
    assert code in {finding.code for finding in findings}
    assert any(says in finding.message for finding in findings if finding.code == code)
    assert all(finding.file == "strategy.py" and finding.line >= BODY_LINE for finding in findings)
    assert all(finding.message.isprintable() for finding in findings)


def test_all_findings_come_at_once_in_the_order_of_the_file() -> None:
    findings = check_policy(source("import os\nx = eval('1')\nopen('y')"))
    assert [(item.line - BODY_LINE, item.code) for item in findings] == [(0, "IMPORT"), (1, "NAME"), (2, "NAME")]
    with pytest.raises(StrategyRejected, match=r"strategy.py line \d+: the module os .* \(and 2 more\)") as caught:
        require_policy(source("import os\nx = eval('1')\nopen('y')"))
    assert len(caught.value.findings) == 3


def test_skills_are_checked_like_the_strategy() -> None:
    code = strategy().code
    (finding,) = check_policy(StrategySource(code=code, skills={"trend": "x = 1\nimport os\n"}))
    assert (finding.file, finding.line, finding.code) == ("strategy/skills/trend.py", 2, "IMPORT")
    (finding,) = check_policy(StrategySource(code=code, skills={"../x": "x = 1\n"}))
    assert finding.code == "SKILL_NAME"
    (finding,) = check_policy(StrategySource(code=code + "\nfrom strategy.skills import trend\n"))
    assert "this version has no skills" in finding.message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1\n", "no class Strategy at the top level"),
        ("def f():\n    class Strategy: pass\n", "no class Strategy at the top level"),
        ("class Strategy:\n    def analyze(self, m, p, t): return []\n    def initialize(self, r, s): pass\n",
         "lacks on_fill, on_position_closed, get_state and load_state"),
    ],
)  # fmt: skip
def test_the_contract_is_checked_before_anything_runs(code: str, says: str) -> None:
    findings = check_policy(StrategySource(code=code))
    assert [finding.code for finding in findings] == ["CONTRACT"]
    assert says in findings[0].message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "def analyze(self, markets, portfolio, timestamp)",
            "def analyze(self, markets)",
            "(self, markets, portfolio, timestamp)",
        ),
        ("def get_state(self)", "def get_state(self, deep)", "get_state is called with (self)"),
        ("def load_state(self, state)", "async def load_state(self, state)", "write a plain def"),
        ("def load_state(self, state)", "def load_state(self, state, *, strict)", "load_state is called with"),
        ("class Strategy:", "class Strategy:\n    def __init__(self, n): pass", "called without arguments"),
    ],
)
def test_methods_must_take_what_the_host_passes(old: str, new: str, says: str) -> None:
    code = strategy().code
    assert old in code
    findings = check_policy(StrategySource(code=code.replace(old, new)))
    assert any(says in finding.message for finding in findings)


def test_inherited_and_generous_methods_count() -> None:
    code = strategy().code.replace("class Strategy:", "class Base:") + "\n\nclass Strategy(Base):\n    pass\n"
    assert check_policy(StrategySource(code=code)) == []
    code = strategy().code.replace("analyze(self, markets, portfolio, timestamp)", "analyze(self, *args, extra=1)")
    assert check_policy(StrategySource(code=code)) == []


@pytest.mark.parametrize(
    "code",
    [
        "def broken(:\n",
        "x = 1\x00\n",
        "x = '\ud800'\n",
        "(" * 500 + ")" * 500,
        "x = " + "-" * 20_000 + "1",
        "x = a" + ".b" * 5_000,
        "x = " + "[" * 150 + "]" * 150 + "\n" + "1+" * 50_000 + "1",
        "#" * 200_001,
    ],
)
def test_text_that_is_no_reasonable_python_is_refused_not_crashed_on(code: str) -> None:
    findings = check_policy(StrategySource(code=code))
    assert findings
    assert findings[0].code in ("SYNTAX", "SIZE", "CONTRACT")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_the_check_raise(text: str) -> None:
    assert check_policy(StrategySource(code=text))


@pytest.mark.parametrize("line", ["SymbolData.__init__ = print", "Signal.__init__ = None", "del Signal.__init__"])
def test_methods_of_other_classes_may_not_be_replaced(line: str) -> None:
    source = StrategySource(code=f"from shell.contract import Signal, SymbolData\n\n{line}\n")
    assert "DUNDER" in {finding.code for finding in check_policy(source)}
