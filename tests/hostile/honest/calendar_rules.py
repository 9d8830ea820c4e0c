"""Rules of dates: week days, ages, cool-down periods, the end of the month."""

from datetime import UTC, date, datetime, time, timedelta, timezone

from shell.contract import Action, Signal


class Strategy:
    COOLING = timedelta(minutes=20)
    EPOCH = datetime(2024, 1, 1, tzinfo=UTC)

    def initialize(self, risk_limits, symbols):
        self.last = {}

    def analyze(self, markets, portfolio, timestamp):
        signals = []
        opens, closes = time(0, 0), time(23, 59)
        tomorrow = timestamp.date() + timedelta(days=1)
        month_ends = tomorrow.month != timestamp.month
        for symbol in markets:
            last = self.last.get(symbol)
            if last is not None and timestamp - last < self.COOLING:
                continue
            if opens <= timestamp.time() <= closes and timestamp.weekday() < 7:
                self.last[symbol] = timestamp
                age = timestamp - self.EPOCH
                bar = markets[symbol].candles_1d["timestamp"][-1]
                why = (
                    f"{timestamp:%A %d.%m. %H:%M}, day {age.days}, week {timestamp.isocalendar().week}, {month_ends}, "
                    f"{(date(2024, 12, 25) - timestamp.date()).days} to Christmas, bar of {bar.date().isoformat()} "
                    f"{timestamp.astimezone(timezone(timedelta(hours=2))).hour} {datetime.fromisoformat('2024-01-02').day}"
                )
                signals.append(Signal(symbol, Action.BUY, 0.01, reasoning=why))
        return signals

    def on_fill(self, symbol, action, qty, price, intent):
        pass

    def on_position_closed(self, symbol, pnl, pnl_pct):
        pass

    def get_state(self):
        return {symbol: moment.isoformat() for symbol, moment in self.last.items()}

    def load_state(self, state):
        self.last = {symbol: datetime.fromisoformat(text).astimezone(UTC) for symbol, text in state.items()}
