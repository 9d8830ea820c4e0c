"""What strategy code may name: modules, members, builtins and attributes. Tables, and the questions asked of them.

An allow-list wherever the set is closed (modules, builtins, dunder names), a deny-list only for attributes of values
whose type nobody can know from the text. These tables exist for early, clear sentences; they are not the boundary (D7).
"""

from __future__ import annotations

import builtins
import importlib
import re
from types import ModuleType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STANDARD_MODULES = _words(
    """
    __future__ abc bisect collections collections.abc copy dataclasses datetime decimal enum functools heapq
    itertools math operator random re statistics string types typing
    """
)
LIBRARY_MODULES = _words(
    """
    numpy numpy.fft numpy.lib numpy.lib.stride_tricks numpy.linalg numpy.polynomial numpy.random numpy.strings
    numpy.typing polars polars.exceptions polars.selectors
    """
)
SHELL_MODULES = frozenset({"shell.contract", "shell.indicators"})
PACKAGES = frozenset({"shell", "strategy", "strategy.skills"})
MODULES = STANDARD_MODULES | LIBRARY_MODULES | SHELL_MODULES

# Modules of which only these members may be used.
MEMBERS_ONLY: dict[str, frozenset[str]] = {
    "random": frozenset({"Random"}),
    "types": frozenset({"GenericAlias", "MappingProxyType", "NoneType", "SimpleNamespace", "UnionType"}),
    "numpy.random": frozenset({"Generator", "PCG64", "Philox", "RandomState", "SeedSequence", "default_rng"}),
    "numpy.lib.stride_tricks": frozenset({"sliding_window_view"}),
}
# Members that build or run code from text, or reach attributes by name.
MEMBERS_DENIED: dict[str, frozenset[str]] = {
    "operator": frozenset({"attrgetter", "methodcaller"}),
    "string": frozenset({"Formatter"}),
    "typing": frozenset({"ForwardRef", "get_type_hints"}),
    "dataclasses": frozenset({"make_dataclass"}),
    "polars": frozenset({"Config", "SQLContext", "api", "build_info", "show_versions", "sql", "sql_expr"}),
    "numpy": frozenset({"get_include", "info", "show_config", "show_runtime"}),
}
SEEDED = frozenset(
    {
        "random.Random",
        *(f"numpy.random.{name}" for name in ("PCG64", "Philox", "RandomState", "SeedSequence", "default_rng")),
    }
)
CLOCK_READS = frozenset({"now", "utcnow", "today"})

BUILTINS = _words(
    """
    abs all any ascii bin bool bytearray bytes callable chr classmethod complex dict divmod enumerate filter float
    format frozenset getattr hasattr hex int isinstance issubclass iter len list map max min next object oct ord pow
    print property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type zip True
    False None NotImplemented Ellipsis __debug__ __name__ __doc__
    """
)
_BUILTIN_ERRORS_DENIED = frozenset({"BaseException", "BaseExceptionGroup", "GeneratorExit", "KeyboardInterrupt", "SystemExit"})
BUILTINS_DENIED = frozenset(
    name
    for name, value in vars(builtins).items()
    if name not in BUILTINS
    and (name in _BUILTIN_ERRORS_DENIED or not (isinstance(value, type) and issubclass(value, Exception)))
) | {"__builtins__", "exit", "quit"}

DUNDER_ATTRIBUTES = frozenset({"__init__", "__post_init__", "__name__", "__doc__"})
DUNDER_VARIABLES = frozenset({"__all__", "__slots__", "__match_args__", "__hash__"})
DUNDER_METHODS = frozenset(
    f"__{name}__"
    for name in _words(
        """
        init post_init repr str len iter next reversed getitem setitem delitem contains eq ne lt le gt ge hash call bool
        enter exit int float index abs neg pos invert round add radd iadd sub rsub isub mul rmul imul truediv rtruediv
        itruediv floordiv rfloordiv mod rmod pow rpow and or xor matmul missing copy deepcopy
        """
    )
)
NAMEDTUPLE_ATTRIBUTES = frozenset({"_asdict", "_fields", "_make", "_replace"})

_FRAMES = re.compile(
    r"f_(back|builtins|code|globals|lasti|lineno|locals|trace)|(gi|cr|ag)_(frame|code|running|await|yieldfrom|origin|suspended)"
    r"|tb_(frame|next|lasti|lineno)|co_(code|consts|names|varnames|filename)|func_(globals|code)|mro|with_traceback"
)
_OUTSIDE = re.compile(
    r"(read|scan|write|sink)_\w+|save(txt|z|z_compressed)?|load|loads|loadtxt|dump|dumps|tofile|fromfile|fromregex|genfromtxt"
    r"|memmap|open_memmap|DataSource|ctypes|ctypeslib|testing|f2py|distutils|plugins|register_\w+|serialize|deserialize"
    r"|SQLContext|sql|show_graph|collect_async|collect_batches|as_strided|setflags|flags|base|attrgetter|methodcaller"
)
_ADVICE = {
    "time": "the time of a scan is analyze's `timestamp`",
    "os": "a strategy has no files and no environment",
    "pathlib": "a strategy has no files",
    "io": "a strategy has no files",
    "json": "get_state may return plain dicts and lists",
    "pickle": "get_state may return plain dicts and lists",
    "logging": "say why in Signal.reasoning",
    "requests": "a strategy has no network; market data comes with analyze",
    "httpx": "a strategy has no network; market data comes with analyze",
    "socket": "a strategy has no network; market data comes with analyze",
    "pandas": "use polars",
    "scipy": "use numpy",
    "talib": "use shell.indicators",
    "threading": "analyze runs alone",
    "asyncio": "analyze runs alone",
    "secrets": "use random.Random(seed)",
    "uuid": "number things yourself",
    "zoneinfo": "times are UTC",
}


def advice_on(module: str) -> str:
    """What to do instead of importing `module`."""
    return _ADVICE.get(module.split(".")[0], "use the contract, numpy, polars and the computing part of the standard library")


def reads_frames(attribute: str) -> bool:
    """True for attributes through which code climbs out of its own scope: frames, tracebacks, code objects."""
    return _FRAMES.fullmatch(attribute) is not None


def reaches_outside(attribute: str) -> bool:
    """True for attributes of numpy and polars that touch files, memory, plugins or SQL."""
    return _OUTSIDE.fullmatch(attribute) is not None


def is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def refused_member(module: str, member: str) -> str | None:
    """Why `module.member` may not be used, None if it may. `module` is one of MODULES."""
    only = MEMBERS_ONLY.get(module)
    if only is not None and member not in only:
        return f"of {module} only {', '.join(sorted(only))} may be used"
    if member.startswith("_"):
        return f"{module}.{member} is private"
    if member in MEMBERS_DENIED.get(module, ()) or (module not in SHELL_MODULES and reaches_outside(member)):
        return f"{module}.{member} is not allowed: a strategy computes and touches nothing else"
    if f"{module}.{member}" not in MODULES and isinstance(_member(module, member), ModuleType):
        return f"{module}.{member} leads to a module that is not allowed"
    return None


def submodule(module: str, member: str) -> str | None:
    """The allowed module that `module.member` is, None if it is no module."""
    name = f"{module}.{member}"
    return name if name in MODULES and isinstance(_member(module, member), ModuleType) else None


def _member(module: str, member: str) -> object:
    return getattr(importlib.import_module(module), member, None) if module in MODULES else None
