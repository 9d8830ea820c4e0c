"""A strategy as it would run in another time zone and at another time: the sandbox's run that must repeat the first.

Reads of the clock cannot be shut off (the kernel answers them without a system call), and an ordinary run patches nothing.
This run, and only this one, puts a few lines before the strategy that set another time zone and lead the functions of `time`
astray: months ahead, and by hours more at each further reading. Where the policy did not check the file, it gets classes of
`datetime` that go with them; where it did, it needs none, because the policy refuses every way to ask them.

What answers by the clock then differs from the first run. Not found is code that asks the kernel in another way (numpy's
`datetime64("today")`) and rounds the answer to days or coarser; the policy is there for that.
"""

from __future__ import annotations

from dataclasses import replace

from shell.host.port import StrategySource

# A zone written out needs no file; 13 hours 37 minutes move every hour, and most days.
_ZONE = "AWY-13:37"
_AHEAD_SECONDS = 117 * 86_400 + 49_057
_EACH_READING_SECONDS = 7_919

_BEFORE = f"""
def another_clock(with_datetime):
    import builtins, datetime, os, time, types
    os.environ["TZ"] = {_ZONE!r}
    time.tzset()
    now, now_ns, readings = time.time, time.time_ns, [0]
    def ahead():
        readings[0] += 1
        return {_AHEAD_SECONDS} + {_EACH_READING_SECONDS} * readings[0]
    def timed(function):
        return lambda seconds=None: function(time.time() if seconds is None else seconds)
    clock_gettime, strftime = time.clock_gettime, time.strftime
    wall = time.CLOCK_REALTIME
    time.time = lambda: now() + ahead()
    time.time_ns = lambda: now_ns() + ahead() * 1_000_000_000
    time.clock_gettime = lambda clock: time.time() if clock == wall else clock_gettime(clock)
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, timed(getattr(time, name)))
    localtime, asctime = time.localtime, time.asctime
    time.asctime = lambda moment=None: asctime(localtime() if moment is None else moment)
    time.strftime = lambda form, moment=None: strftime(form, localtime() if moment is None else moment)
    if not with_datetime:
        return
    class Kin(type):
        def __instancecheck__(cls, value):
            return isinstance(value, cls.__base__)
        def __subclasscheck__(cls, kind):
            return issubclass(kind, cls.__base__)
    class date(datetime.date, metaclass=Kin):
        def __new__(cls, *parts, **named):
            return cls.__base__.__new__(cls.__base__, *parts, **named)
        @classmethod
        def today(cls):
            return cls.__base__.fromtimestamp(time.time())
    class moment(datetime.datetime, metaclass=Kin):
        def __new__(cls, *parts, **named):
            return cls.__base__.__new__(cls.__base__, *parts, **named)
        @classmethod
        def now(cls, tz=None):
            return cls.__base__.fromtimestamp(time.time(), tz)
        @classmethod
        def today(cls):
            return cls.now()
        @classmethod
        def utcnow(cls):
            return cls.now(datetime.timezone.utc).replace(tzinfo=None)
    # For the strategy alone: libraries look at the very types of what they are given.
    proxy = types.ModuleType("datetime")
    proxy.__dict__.update(datetime.__dict__, date=date, datetime=moment)
    load = builtins.__import__
    def importing(*asked, **named):
        module = load(*asked, **named)
        return proxy if module is datetime else module
    globals()["__builtins__"] = {{**builtins.__dict__, "__import__": importing}}
"""


def under_another_clock(source: StrategySource, *, checked: bool) -> StrategySource:
    """`source` with another clock; `checked` says that the policy found no reading of a clock in it.

    Lines and names in messages stay those of the file.
    """
    code = (
        f"{_BEFORE}\n"
        f"another_clock({not checked})\n"
        "del another_clock\n"
        f"exec(compile({source.code!r}, {source.origin!r}, 'exec', dont_inherit=True), globals())\n"
    )
    return replace(source, code=code)
