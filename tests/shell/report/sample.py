"""Invented but realistic report data: a fortnight on the planted-edge market, an empty period, and hostile text."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shell.index.worth import worth_of
from shell.report.data import (
    CandidateRow,
    CheckRow,
    Counts,
    EvidenceRow,
    FaultRow,
    FillRow,
    GapRow,
    HaltRow,
    NightRow,
    PaperRow,
    PositionRow,
    PromotionRow,
    RefusalRow,
    ReportData,
    Series,
    TradeRow,
)
from shell.report.memory import LineageMark, MemoryRows
from shell.report.series import drawdown
from shell.store.parity import ParityResult

START = datetime(2025, 3, 1, tzinfo=UTC)
DAYS = 14
SYMBOLS = {"BTC/USD": 84_000.0, "ETH/USD": 2_200.0, "DOGE/USD": 0.2012}
HOSTILE = (
    '<script>alert("x")</script><img src=x onerror=alert(1)>\x00\x07\x1b[31m\u202egnp\ud800 </style> & '
    "'quoted' {{ 7*7 }} | `code` [link](javascript:alert(1))\n# heading"
)


def sample_report_data() -> ReportData:
    """A fortnight with trades, fourteen nights, one promotion, one halt, one hole and one fault."""
    chance = random.Random(7)
    walks = {symbol: _walk(chance, first) for symbol, first in SYMBOLS.items()}
    trades, fills = _trades(chance, walks)
    equity = _equity(trades, walks["BTC/USD"])
    hole = (START + timedelta(days=9, hours=12), START + timedelta(days=9, hours=19))
    seen = tuple(point for point in walks["BTC/USD"] if not hole[0] <= point[0] < hole[1])
    prices = {**walks, "BTC/USD": seen}
    first = {symbol: series[0][1] for symbol, series in prices.items()}
    hold = tuple(
        (at, 10_000 * sum(walks[symbol][index][1] / first[symbol] for symbol in SYMBOLS) / len(SYMBOLS))
        for index, (at, _) in enumerate(walks["BTC/USD"])
    )
    fees = sum((trade.fees for trade in trades), Decimal(0))
    by_symbol = {
        symbol: sum((trade.fees for trade in trades if trade.symbol == symbol), Decimal(0)) for symbol in SYMBOLS
    }
    candidates = _candidates()
    return ReportData(
        title="Rehearsal of 14 days and nights", start=START, end=START + timedelta(days=DAYS), mode="paper",
        source="planted-edge market, seed 7", real=False, planted_edge=True, symbols=tuple(SYMBOLS), seed=7,
        starting_value=Decimal(10_000), final_value=Decimal(str(round(equity[-1][1], 2))),
        metrics={
            "total_return_pct": equity[-1][1] / 10_000 - 1,
            "max_drawdown_pct": -min(fall for _, fall in drawdown(equity)), "sharpe": 1.84, "sortino": 2.71,
            "trades": len(trades), "win_rate": 0.5217, "profit_factor": 1.37, "expectancy": 4.83, "fees": float(fees),
            "exposure_pct": 0.4412, "buy_and_hold_return_pct": hold[-1][1] / 10_000 - 1, "days": DAYS,
            "daily_sharpe": 0.0963,
        },
        equity=equity, buy_and_hold=hold, prices=prices, trades=trades, fills=fills, fees_total=fees,
        fees_by_symbol=by_symbol, nights=_nights(), candidates=candidates,
        trials="2 distinct trials have been scored on the selection segment.",
        memory=memory(),
        evidence=(
            EvidenceRow(
                name="v002 on the account", have_days=9, daily_sharpe=0.11, bar_sharpe=0.0, more_days=219, paper_power=0.0875,
                sentence="v002 on the account: 219 more days like these would decide at 95%",
            ),
            EvidenceRow(
                name="c0001", have_days=84, daily_sharpe=-0.02, bar_sharpe=0.1, more_days=None, paper_power=None,
                sentence="c0001: no record is long enough",
            ),
        ),
        positions=(
            PositionRow(
                symbol="ETH/USD", qty=Decimal("0.4312"), entry=Decimal("2214.18"), price=Decimal("2240.02"),
                unrealised=Decimal("11.14"), stop_loss=Decimal("2090.5"), take_profit=None,
                opened=START + timedelta(days=13, hours=4), version="v002",
            ),
        ),
        promotions=(
            PromotionRow(
                at=START + timedelta(days=6, hours=6, minutes=10), version="v002", previous="v001",
                candidate_id="c0003", hash="9f2c41d07ab3e655",
                figures={"daily_sharpe": 0.412, "total_return_pct": 0.0987, "trades": 31},
            ),
        ),
        refusals=(
            RefusalRow(code="MAX_POSITIONS", count=11, sentence="5 positions are held or being entered, 5 are allowed"),
            RefusalRow(code="DUPLICATE_SIGNAL", count=3, sentence="the same BUY of ETH/USD was answered 40 s ago"),
        ),
        halts=(
            HaltRow(
                kind="DAILY_LOSS",
                sentence="equity 9,688.20 is 3.1 % below the day's start of 10,000.00; 3 % is allowed",
                raised_at=START + timedelta(days=3, hours=15), lifted_at=START + timedelta(days=4, hours=5),
                lifted_by="operator",
            ),
        ),
        gaps=(
            GapRow(
                symbol="BTC/USD", begins=hole[0], ends=hole[1], bars=84,
            ),
        ),
        faults=(
            FaultRow(at=START + timedelta(days=2, hours=3), sentence="analyze took longer than 10 s and was stopped"),
        ),
        notes=("the scripted operator lifted 1 halt",), quality=("1 row with an absurd wick was left out",),
        counts=Counts(scans=4032, signals=107, orders=93, fills=92),
        settings={
            "account": {"starting cash": "10,000 USD", "time zone": "America/New_York"},
            "costs": {"taker fee": "0.40 %", "maker fee": "0.25 %", "slippage": "0.05 %", "spread": "0.04 %"},
            "risk limits": {"max trade": "10 %", "max positions": "5", "max daily loss": "3 %"},
        },
        statistics={"Return [%]": 1.2345, "# Trades": 23, "Sharpe Ratio": 1.61, "SQN": None},
        event_log_hash="3b1f0c5e7d9a2b4c6e8f00112233445566778899aabbccddeeff001122334455",
    )


def empty_report_data() -> ReportData:
    """A period in which nothing whatever happened, on real prices, with one mark of the account."""
    return ReportData(
        title="One quiet day", start=START, end=START + timedelta(days=1), mode="paper", source="market folder",
        real=True, symbols=("BTC/USD",), starting_value=Decimal(10_000), final_value=Decimal(10_000),
        equity=((START, 10_000.0),), prices={"BTC/USD": ((START, 84_000.0),)},
        nights=(NightRow(night="2025-03-01", decision="no change", reasons=("there is no history yet",)),),
    )


def hostile_report_data() -> ReportData:
    """Every text that a strategy, a model, a file or a person could have written is an attack."""
    trade = TradeRow(
        symbol=HOSTILE, opened=START, closed=START + timedelta(hours=1), entry=Decimal(1), exit=Decimal(2),
        qty=Decimal(3), pnl=Decimal("2.9"), pnl_pct=0.96, fees=Decimal("0.1"), exit_purpose=HOSTILE, version=HOSTILE,
    )
    candidate = CandidateRow(
        candidate_id=HOSTILE, night=HOSTILE, hypothesis=HOSTILE * 200, change_class=HOSTILE, provider=HOSTILE,
        verdict=HOSTILE, stage=HOSTILE, reasons=(HOSTILE, HOSTILE), figures={HOSTILE: HOSTILE},
        checks=(CheckRow(name=HOSTILE, passed=False, value=HOSTILE, threshold=float("nan"), sentence=HOSTILE),),
        paper=PaperRow(trial_id=HOSTILE, state=HOSTILE, reasons=(HOSTILE,)),
    )
    return ReportData(
        title=HOSTILE, start=START, end=START + timedelta(days=1), mode=HOSTILE, source=HOSTILE, real=False,
        symbols=(HOSTILE,), starting_value=Decimal(0), final_value=Decimal(0), quote=HOSTILE,
        metrics={HOSTILE: HOSTILE, "sharpe": float("nan")}, memory=memory(HOSTILE),
        equity=((START, float("nan")), (START, 1.0), (START + timedelta(hours=1), float("inf"))),
        prices={HOSTILE: ((START, 1.0), (START + timedelta(hours=1), 2.0))}, trades=(trade,),
        fills=(FillRow(symbol=HOSTILE, at=START, side=HOSTILE, price=Decimal(1), qty=Decimal(3), purpose=HOSTILE),),
        fees_by_symbol={HOSTILE: Decimal(1)}, candidates=(candidate,), trials=HOSTILE,
        evidence=(
            EvidenceRow(
                name=HOSTILE, have_days=0, daily_sharpe=0.0, bar_sharpe=0.0, more_days=None, paper_power=None, sentence=HOSTILE
            ),
        ),
        nights=(
            NightRow(
                night=HOSTILE, decision=HOSTILE, reasons=(HOSTILE,), candidate_ids=(HOSTILE,), incumbent=HOSTILE
            ),
        ),
        promotions=(
            PromotionRow(
                at=START, version=HOSTILE, previous=HOSTILE, candidate_id=HOSTILE, hash=HOSTILE, reason=HOSTILE,
                figures={HOSTILE: HOSTILE}, rollback=True,
            ),
        ),
        refusals=(RefusalRow(code=HOSTILE, count=1, sentence=HOSTILE),),
        halts=(HaltRow(kind=HOSTILE, sentence=HOSTILE, raised_at=START, lifted_at=START, lifted_by=HOSTILE),),
        gaps=(GapRow(symbol=HOSTILE, begins=START, ends=START, bars=1),),
        faults=(FaultRow(at=START, sentence=HOSTILE),), settings={HOSTILE: {HOSTILE: HOSTILE}},
        statistics={HOSTILE: HOSTILE}, notes=(HOSTILE,), quality=(HOSTILE,), event_log_hash=HOSTILE,
    )


def memory(text: str = "a tweak") -> MemoryRows:
    """A small lineage, two providers, a comparison with a difference, and a changed document; `text` stands everywhere."""
    worth = worth_of([], [], [], {}, {"anthropic": Decimal("1.25"), text: Decimal(1)})
    marks = (
        LineageMark(x=18, y=18, parent_x=None, parent_y=None, kind="version", name="v001", text=text),
        LineageMark(x=46, y=44, parent_x=18, parent_y=18, kind="refused", name="c0001", text=text),
    )
    compared = ParityResult(
        since=START, until=START + timedelta(days=1), version="v001", scans=288, scans_equal=287, fills=4, fills_equal=4,
        explained=False, differences=({"slot": START.isoformat(), "reason": text},),
    )
    return MemoryRows(
        lineage=marks, lineage_height=88, left_out=1, worth=tuple(worth), parity=(compared,),
        document=(f"+{text}", "-old", " same"), document_refused=(text,),
    )


def _walk(chance: random.Random, first: float) -> Series:
    value, drift, points = first, 0.0, []
    for step in range(DAYS * 288):
        if step % 288 == 0:
            drift = chance.gauss(0, 0.00006)
        value *= 1 + drift + chance.gauss(0, 0.0011)
        points.append((START + timedelta(minutes=5 * step), value))
    return tuple(points)


def _trades(chance: random.Random, prices: dict[str, Series]) -> tuple[tuple[TradeRow, ...], tuple[FillRow, ...]]:
    trades, fills = [], []
    for number in range(23):
        symbol = list(SYMBOLS)[number % 3]
        opened = 120 + number * 160 + chance.randrange(60)
        closed = opened + 60 + chance.randrange(240)
        if closed >= DAYS * 288:
            continue
        (opened_at, entry), (closed_at, exit_) = prices[symbol][opened], prices[symbol][closed]
        qty = round(Decimal("900") / Decimal(str(entry)), 6)
        purpose = ("exit", "stop", "target")[0 if abs(exit_ / entry - 1) < 0.01 else 2 if exit_ > entry else 1]
        entry_price, exit_price = (round(Decimal(str(value)), 5 if value < 1 else 2) for value in (entry, exit_))
        fees = round((entry_price + exit_price) * qty * Decimal("0.004"), 4)
        pnl = (exit_price - entry_price) * qty - fees
        trades.append(TradeRow(
            symbol=symbol, opened=opened_at, closed=closed_at, entry=entry_price, exit=exit_price, qty=qty, pnl=pnl,
            pnl_pct=float(pnl / (entry_price * qty)), fees=fees, exit_purpose=purpose,
            version="v001" if opened_at < START + timedelta(days=6) else "v002",
        ))
        fills += [
            FillRow(symbol=symbol, at=opened_at, side="buy", price=entry_price, qty=qty, purpose="entry"),
            FillRow(symbol=symbol, at=closed_at, side="sell", price=exit_price, qty=qty, purpose=purpose),
        ]
    trades.sort(key=lambda trade: trade.closed)
    fills.sort(key=lambda fill: fill.at)
    return tuple(trades), tuple(fills)


def _equity(trades: tuple[TradeRow, ...], clock: Series) -> Series:
    chance, points, value, following = random.Random(8), [], 10_000.0, 0
    for at, _ in clock:
        while following < len(trades) and trades[following].closed <= at:
            value += float(trades[following].pnl)
            following += 1
        points.append((at, value + chance.gauss(0, 3.0)))
    return tuple(points)


def _nights() -> tuple[NightRow, ...]:
    rows = []
    for number in range(DAYS):
        night = (START + timedelta(days=number)).date().isoformat()
        incumbent = "v001" if number < 6 else "v002"
        if number % 3 == 0 and number < 12:
            rows.append(NightRow(
                night=night, decision="search", reasons=("no trial is running and the search budget has room",),
                candidate_ids=(f"c000{number // 3 + 1}",), incumbent=incumbent,
            ))
        else:
            rows.append(NightRow(
                night=night, decision="no change", reasons=("a paper trial is running",), incumbent=incumbent
            ))
    return tuple(rows)


def _gate(
    trades: int, gain: float, stressed: float | None, fall: float, deflated: float, vault: float | None
) -> tuple[CheckRow, ...]:
    def row(name: str, passed: bool, value: float | None, threshold: float | None, sentence: str) -> CheckRow:
        return CheckRow(name=name, passed=passed, value=value, threshold=threshold, sentence=sentence)

    return (
        row("determinism", True, None, None, "two fresh processes gave the same answers (4be1a90c)"),
        row("minimum_trades", trades >= 10, trades, 10, f"{trades} closed trades on the selection segment, 10 needed"),
        row("minimum_days", True, 42, 20, "42 days of returns, 20 needed"),
        row("positive_return", gain > 0, gain, 0.0, f"{gain:.2%} net of costs on the selection segment"),
        row("stressed_return", bool(stressed and stressed > 0), stressed, 0.0, "at 2x costs, more than 0 % needed"),
        row("drawdown", fall <= 0.25, fall, 0.25, f"largest fall {fall:.2%}, at most 25.00 % allowed"),
        row(
            "deflated_sharpe", deflated >= 0.95, deflated, 0.95,
            f"daily Sharpe is above luck with probability {deflated:.3f}, 0.950 needed",
        ),
        row("beats_incumbent", gain > 0.02, gain, 0.02, "daily Sharpe, more than that of v001 needed"),
        row("beats_buy_and_hold", gain > 0, gain * 2, 0.0313, "daily Sharpe and return against buying and holding"),
        row("vault", vault is not None, vault, 0.0, "one look at the newest segment, taken only when all else passed"),
    )


def _candidates() -> tuple[CandidateRow, ...]:
    trial = PaperRow(
        trial_id="t0001", state="passed", started=START + timedelta(days=5, hours=5),
        due=START + timedelta(days=6, hours=5), scans=288, signals_paper=9, signals_backtest=9, signals_equal=9,
        fills_paper=6, fills_backtest=6, fills_equal=6, reasons=("all 9 signals and all 6 fills were equal",),
    )
    return (
        CandidateRow(
            candidate_id="c0001", night="2025-03-01", change_class="tweak", provider="local", verdict="refused",
            hypothesis="A slower exit average keeps more of each trend.", stage="gate",
            reasons=("deflated_sharpe: above luck with probability 0.412, 0.950 needed", "vault: not looked at"),
            checks=_gate(17, 0.0121, 0.0004, 0.0811, 0.4123, None),
            figures={"daily_sharpe": 0.0412, "total_return_pct": 0.0121, "trades": 17},
        ),
        CandidateRow(
            candidate_id="c0002", night="2025-03-04", change_class="overhaul", provider="local", verdict="refused",
            hypothesis="Buy a breakout of the 20-bar channel when volume is high;\nleave by an ATR trail.",
            stage="sandbox",
            reasons=("the sandbox stopped it: analyze raised ZeroDivisionError in line 48",),
        ),
        CandidateRow(
            candidate_id="c0003", night="2025-03-07", change_class="tweak", provider="local", verdict="promoted",
            hypothesis="Entering at the last price instead of below it catches the planted drift earlier.",
            stage="promote", reasons=("all 10 checks of the gate passed", "the paper trial conformed"),
            checks=_gate(31, 0.0987, 0.0612, 0.0419, 0.9874, 0.0231), paper=trial,
            figures={"daily_sharpe": 0.412, "total_return_pct": 0.0987, "trades": 31},
        ),
        CandidateRow(
            candidate_id="c0004", night="2025-03-10", change_class="restructure", provider="local", verdict="refused",
            hypothesis="Trade only when volatility is low.", stage="gate",
            reasons=("minimum_trades: 4 closed trades, 10 needed, 6 too few",),
            checks=_gate(4, -0.0123, None, 0.2911, 0.1207, None),
            figures={"daily_sharpe": -0.0231, "total_return_pct": -0.0123, "trades": 4},
        ),
    )
