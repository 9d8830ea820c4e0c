"""Answers that break the contract, lie about what they are, or are somebody else's: forged, early, late, too long."""

from strategy.skills.kit import Raw, Strategy, attack

from shell.contract import Action, Intent, OrderType, Signal

__all__ = ["Strategy"]

FORGED = "FORGED"


def signal(scene, **fields):
    return Signal(**{"symbol": scene.symbols[0], "action": Action.BUY, **fields})


def answer(attribute):
    """A one-signal answer whose attribute is what the decorated function returns."""

    def make(function):
        def tried(scene):
            return Raw([signal(scene, **{attribute: function(scene)})])

        tried.__name__ = function.__name__
        return tried

    return make


# --- numbers -----------------------------------------------------------------------------------------------------------


@attack("contract")
@answer("size_pct")
def not_a_number(scene):
    return float("nan")


@attack("contract", thorough=True)
@answer("take_profit")
def infinite_price(scene):
    return float("inf")


@attack("contract", thorough=True)
@answer("stop_loss")
def negative_price(scene):
    return -1.0


@attack("contract", thorough=True)
@answer("size_pct")
def truth_as_a_number(scene):
    return True


@attack("contract")
@answer("limit_price")
def number_of_a_thousand_digits(scene):
    return 10**1000


@attack("contract", thorough=True)
@answer("size_pct")
def number_as_text(scene):
    return "0.5"


@attack("contract")
@answer("size_pct")
def float_with_another_face(scene):
    """Says one thing to whoever prints it and another to whoever compares it."""

    class Mask(float):
        def __repr__(self):
            return "1e999"

        def __lt__(self, other):
            return False

        __gt__ = __le__ = __ge__ = __lt__
        __str__ = __repr__

    return Mask(7.5)


@attack("contract")
@answer("confidence")
def integer_with_another_face(scene):
    class Mask(int):
        def __repr__(self):
            return '1, "x"'

        def __index__(self):
            return 1

    return Mask(9)


# --- texts -------------------------------------------------------------------------------------------------------------


@attack("contract")
@answer("reasoning")
def long_text(scene):
    return "x" * 300_000


@attack("contract", thorough=True)
@answer("tag")
def long_tag(scene):
    return "x" * 51


@attack("contract")
@answer("tag")
def turned_writing(scene):
    """Shown to a person, it reads backwards."""

    class Quiet(str):
        def isprintable(self):
            return True

    return Quiet("buy \u202e1.0 lles")


@attack("contract")
@answer("tag")
def terminal_commands(scene):
    class Quiet(str):
        def isprintable(self):
            return True

    return Quiet("\x1b[2J\x07")


@attack("contract", thorough=True)
@answer("reasoning")
def lone_surrogate(scene):
    class Quiet(str):
        def isprintable(self):
            return True

    return Quiet("\ud800")


@attack("contract")
@answer("symbol")
def unknown_symbol(scene):
    return "DOGE/USD"


@attack("contract")
@answer("symbol")
def symbol_that_equals_anything(scene):
    class Any(str):
        def __eq__(self, other):
            return True

        def __hash__(self):
            return hash(scene.symbols[0])

    return Any("DOGE/USD")


@attack("contract", thorough=True)
@answer("action")
def unknown_action(scene):
    return "SHORT"


@attack("contract", thorough=True)
@answer("order_type")
def member_of_another_enum(scene):
    return Intent.DAY


# --- shapes ------------------------------------------------------------------------------------------------------------


@attack("contract")
def too_many_signals(scene):
    return Raw([signal(scene) for _ in range(51)])


@attack("contract")
def more_signals_than_it_says(scene):
    class Short(list):
        def __len__(self):
            return 1

        def __iter__(self):
            return iter([signal(scene)] * 2000)

    return Raw(Short([1]))


@attack("crash", thorough=True)
def a_generator(scene):
    return Raw(1 for _ in range(3) if 1 / 0)


@attack("crash", thorough=True)
def a_number(scene):
    return Raw(5)


@attack("contract", thorough=True)
def signal_with_missing_fields(scene):
    made = object.__new__(Signal)
    for name in ("symbol", "action"):
        object.__setattr__(made, name, "x")
    for name in Signal.__slots__[2:]:
        object.__setattr__(made, name, None)
    return Raw([made])


@attack("contract")
def something_like_a_signal(scene):
    class Like:
        __class__ = Signal
        symbol, action = "BTC/USD", "BUY"
        order_type, limit_price, stop_loss, take_profit, intent, confidence, reasoning, tag = (OrderType, 1, 1, 1, 1, 1, 1, 1)
        size_pct = 1e9

    return Raw([Like()])


@attack("contract")
def signal_that_changes(scene):
    """Good when looked at, bad when written down."""

    class Turning(Signal):
        @property
        def size_pct(self):
            scene.strategy.looks = getattr(scene.strategy, "looks", 0) + 1
            return 0.1 if scene.strategy.looks < 2 else 1e9

    made = object.__new__(Turning)
    plain = signal(scene)
    for name in Signal.__slots__:
        if name != "size_pct":
            object.__setattr__(made, name, getattr(plain, name))
    assert made.size_pct == 0.1
    return Raw([made])


# --- states ------------------------------------------------------------------------------------------------------------


@attack("contract", asks="state")
def deep_state(scene):
    state = {}
    for _ in range(300):
        state = {"a": state}
    scene.strategy.reply = Raw(state)


@attack("crash", asks="state", alone=True)
def cyclic_state(scene):
    state = {}
    state["a"] = state
    scene.strategy.reply = Raw(state)


@attack("contract", asks="state", thorough=True)
def large_state(scene):
    scene.strategy.reply = Raw({"a": "x" * 100_000})


@attack("contract", asks="state", thorough=True)
def state_with_no_number(scene):
    scene.strategy.reply = Raw({"a": [float("nan")]})


@attack("contract", asks="state", thorough=True)
def state_of_objects(scene):
    """What a default encoder would write down: an address, another one in each run."""
    scene.strategy.reply = Raw({"a": object()})


@attack("contract", asks="state")
def state_with_terminal_commands(scene):
    scene.strategy.reply = Raw({"a\x1b[2J": 1, "b": "\u202e"})


@attack("contract", asks="state", thorough=True)
def state_that_is_a_list(scene):
    scene.strategy.reply = Raw([1])


@attack("contract", asks="state", loose=True, thorough=True)
def keys_that_are_not_texts(scene):
    class Key(str):
        def __str__(self):
            return "\x1b"

    scene.strategy.reply = Raw({Key("a\x1b"): 1})


# --- exceptions --------------------------------------------------------------------------------------------------------


@attack("contract", loose=True, seconds=6.0)
def endless_message(scene):
    raise ValueError("x" * 200_000_000)


@attack("late", loose=True, alone=True, seconds=1.0)
def endless_context(scene):
    """Each error is the reason of the next."""
    error = None
    for _ in range(100_000):
        following = ValueError("x")
        following.__context__ = error
        error = following
    raise error


@attack("crash", loose=True, thorough=True)
def nested_group(scene):
    error = ValueError("x")
    for _ in range(50_000):
        error = ExceptionGroup("x", [error])
    raise error


@attack("crash", loose=True)
def end_of_the_interpreter(scene):
    raise SystemExit


@attack("crash", loose=True, thorough=True)
def interrupt(scene):
    raise KeyboardInterrupt


@attack("crash", loose=True, thorough=True)
def error_without_a_name(scene):
    """A class whose own name raises."""

    class Meta(type):
        @property
        def __name__(cls):
            raise MemoryError

        __module__ = property(lambda _: 1 / 0)

    class Nameless(BaseException, metaclass=Meta):
        pass

    raise Nameless


@attack("crash", loose=True)
def syntax_error_of_its_own(scene):
    """Whoever looks for the line of a syntax error asks these values."""

    class Nowhere(str):
        def __hash__(self):
            raise SystemExit

        def __eq__(self, other):
            raise SystemExit

    error = SyntaxError("x")
    error.filename, error.lineno = Nowhere("strategy.py"), object()
    raise error


# --- replies of its own making -----------------------------------------------------------------------------------------


@attack("forged", steps=2, alone=True)
def answer_to_the_next_request(scene):
    """Sent before its own answer, numbered as the next."""
    if scene.step == 1:
        _write_everywhere(_frame(scene, 1))


@attack("forged", steps=2, alone=True, pause=0.2)
def answer_to_the_next_request_later(scene):
    """Sent behind its own answer, when nobody is reading."""
    import os
    import time

    if scene.step > 1:
        return
    write, forged = os.write, _frame(scene, 1)

    def and_more(descriptor, data):
        os.write = write
        written = write(descriptor, data)
        time.sleep(0.05)
        write(descriptor, forged)
        return written

    os.write = and_more


@attack("forged", steps=2, alone=True, pause=0.1)
def one_answer_for_all_requests(scene):
    """The first reply, sent again for every later one."""
    import os

    write, kept = os.write, []
    if scene.step > 1:
        return None

    def same(descriptor, data):
        if descriptor > 2:
            kept.append(data)
            write(descriptor, kept[0])
            return len(data)
        return write(descriptor, data)

    os.write = same
    return Raw([signal(scene, tag="ONCE")])


@attack("contract", alone=True, thorough=True)
def absurd_length(scene):
    import struct

    _write_everywhere(struct.pack("<IIB", 2**31, _asked(scene), 10) + b"x" * 1000)


@attack("contract", alone=True, thorough=True)
def bytes_that_are_no_frame(scene):
    _write_everywhere(b"\xff" * 64)


@attack("late", alone=True, seconds=0.6)
def trickle(scene):
    """A byte now and then: each read succeeds."""
    import struct
    import time

    _write_everywhere(struct.pack("<IIB", 100_000, _asked(scene), 10))
    while True:
        _write_everywhere(b"x")
        time.sleep(0.05)


@attack("contract", alone=True, seconds=0.6)
def flood_of_signs(scene):
    """Frames that say nothing, as fast as they can be written: each is read, none is an answer."""
    import struct
    import sys

    wire = sys.modules.get("shell.host.wire")
    kind = wire.Kind.SIGN if wire else 12
    while True:
        _write_everywhere(struct.pack("<IIB", 0, 0, kind) * 5000)


@attack("contract", alone=True, seconds=0.6, thorough=True)
def flood_of_bytes(scene):
    """An answer that never ends."""
    import struct

    _write_everywhere(struct.pack("<IIB", 250_000, _asked(scene), 10))
    while True:
        _write_everywhere(b" " * 60)


@attack("crash", alone=True)
def flood_of_complaints(scene):
    """The error stream, filled until it blocks; then an end without an answer."""
    import os

    os.set_blocking(2, False)
    try:
        for _ in range(10_000):
            os.write(2, b"\x1b[2J" * 1000)
    except BlockingIOError:
        pass
    os._exit(3)


@attack("contract", alone=True, steps=2)
def encoder_of_its_own(scene):
    """The host's own encoder in this process, replaced: what arrives is whatever the strategy wants."""
    import sys

    import shell.host.answers

    assert shell.host.answers

    for name, module in list(sys.modules.items()):
        if name.startswith("shell.host"):
            for function in ("encode_signals", "encode_state"):
                if hasattr(module, function):
                    setattr(module, function, lambda _: b'[["DOGE/USD", "BUY", NaN, 1, 2, 3, 4, 5, 6, 7, "\\u001b"]]')


@attack("contract", alone=True, thorough=True)
def json_of_its_own(scene):
    import json

    json.dumps = lambda *_, **__: '[["BTC/USD","BUY",1e999,"MARKET",null,null,null,"SWING",0.5,"","x"]]'
    return Raw([signal(scene)])


@attack("contract", alone=True, thorough=True)
def contract_of_its_own(scene):
    """The types of the contract, changed in place: more signals, other fields."""
    import sys

    import shell.host.answers

    assert shell.host.answers
    for name in ("shell.contract", "shell.host.answers", "shell.host.validate"):
        if name in sys.modules:
            sys.modules[name].SIGNALS_MAX = 10**9
    return Raw([signal(scene) for _ in range(400)])


def _frame(scene, ahead):
    """A whole reply with one signal, numbered `ahead` of the request that is being answered."""
    import json
    import struct

    row = [scene.symbols[0], "BUY", 0.1, "MARKET", None, None, None, "SWING", 0.5, "", FORGED]
    body = json.dumps([row]).encode()
    return struct.pack("<IIB", len(body), _asked(scene) + ahead, 10) + body


def _asked(scene):
    """The number of the present request, as the frames of the host's own functions show it."""
    import sys

    frame = sys._getframe()
    while frame is not None:
        if "request_id" in frame.f_locals:
            return frame.f_locals["request_id"]
        frame = frame.f_back
    return scene.step + 1


def _write_everywhere(data):
    """To every descriptor that takes it: one of them is the request socket."""
    import os

    for number in range(3, 64):
        try:
            os.write(number, data)
        except OSError:
            continue
