"""Runs machine code that nobody reviewed, and takes more memory than there is. Bombs count to a bound."""

from strategy.skills.kit import Strategy, attack, call, libc

__all__ = ["Strategy"]

_READ, _WRITE, _EXEC = 1, 2, 4
_PRIVATE_ANONYMOUS = 0x22
_PAGE = 4096


def machine_code(value):
    """A function that returns `value`, in the bytes of this processor."""
    import struct
    import sys

    if "aarch64" in sys.implementation._multiarch:
        return struct.pack("<2I", 0x52800000 | value << 5, 0xD65F03C0)
    return b"\xb8" + struct.pack("<I", value) + b"\xc3"


def run_at(address):
    import ctypes

    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


# --- code --------------------------------------------------------------------------------------------------------------


@attack("code")
def executable_map(scene):
    """Writable and executable at once, run on the spot."""
    import ctypes
    import mmap

    area = mmap.mmap(-1, _PAGE, prot=_READ | _WRITE | _EXEC)
    area.write(machine_code(4711))
    scene.strategy.kept = area
    return run_at(ctypes.addressof(ctypes.c_char.from_buffer(area)))


@attack("code")
def shared_executable_map(scene):
    import mmap

    scene.strategy.kept = mmap.mmap(-1, _PAGE, flags=mmap.MAP_SHARED, prot=_READ | _EXEC)


@attack("code")
def written_then_made_executable(scene):
    """Never writable and executable at the same time."""
    import ctypes

    address = call("mmap", 0, _PAGE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    ctypes.memmove(address, machine_code(4711), len(machine_code(4711)))
    call("mprotect", address, _PAGE, _READ | _EXEC)
    return run_at(address)


@attack("code")
def an_array_made_executable(scene):
    """The pages of a numpy array, which are there already."""
    import ctypes

    import numpy as np

    array = scene.strategy.kept = np.zeros(4 * _PAGE, dtype=np.uint8)
    address = (array.ctypes.data + _PAGE) & -_PAGE
    ctypes.memmove(address, machine_code(4711), len(machine_code(4711)))
    call("mprotect", address, _PAGE, _READ | _WRITE | _EXEC)
    return run_at(address)


@attack("code", lacks="this processor has no protection keys")
def made_executable_by_key(scene):
    address = call("mmap", 0, _PAGE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)
    call("pkey_mprotect", address, _PAGE, _READ | _EXEC, -1)


@attack("code")
def library_made_writable(scene):
    """The C library's own code, changed in place."""
    import ctypes

    target = ctypes.cast(libc().a64l, ctypes.c_void_p).value & -_PAGE
    call("mprotect", target, _PAGE, _READ | _WRITE | _EXEC)


@attack("code", spoils=True, lacks="this processor does not know the old personality")
def readable_is_executable(scene):
    """An old personality in which every readable page may be run: no call names the right to execute."""
    call("personality", 0x0400000)
    scene.strategy.kept = call("mmap", 0, _PAGE, _READ | _WRITE, _PRIVATE_ANONYMOUS, -1, 0)


@attack("code")
def executable_shared_segment(scene):
    identity = call("shmget", 0, _PAGE, 0o1700)
    call("shmat", identity, 0, 0o100000)


@attack("code")
def code_from_a_memory_file(scene):
    import os

    descriptor = call("memfd_create", b"x", 0)
    os.write(descriptor, machine_code(4711).ljust(_PAGE, b"\0"))
    return run_at(call("mmap", 0, _PAGE, _READ | _EXEC, 2, descriptor, 0))


@attack("code")
def code_from_a_file(scene):
    import os

    descriptor = os.open(f"{scene.folder}/victim.txt", os.O_RDONLY)
    call("mmap", 0, _PAGE, _READ | _EXEC, 2, descriptor, 0)


@attack("code")
def shared_library(scene):
    """Code from the disk: here of the system, elsewhere of whoever can write there."""
    import ctypes

    ctypes.CDLL(_unloaded())


@attack("code")
def extension_module(scene):
    """An extension of the standard library that nothing has loaded yet."""
    for name in ("_curses", "_crypt", "_lsprof", "audioop", "_xxtestfuzz", "_testbuffer", "nis", "ossaudiodev", "spwd"):
        try:
            __import__(name)
        except ModuleNotFoundError:
            continue


@attack("code", spoils=True)
def callback_from_c(scene):
    """A foreign function's callback needs a page of code; so the library that makes it may ask for one."""
    import ctypes

    kept = [ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs) for _ in range(5000)]
    scene.strategy.kept = kept
    assert kept[-1](-3) == 3
    return call("mmap", 0, _PAGE, _READ | _WRITE | _EXEC, _PRIVATE_ANONYMOUS, -1, 0)


@attack("told")
def own_memory_as_a_file(scene):
    """Its own code, changed through the file of its memory, where page rights do not count."""
    import ctypes

    target = ctypes.cast(libc().a64l, ctypes.c_void_p).value
    with open("/proc/self/mem", "r+b", 0) as memory:
        memory.seek(target)
        memory.write(machine_code(4711))
    with open(f"{scene.folder}/secret.txt") as secret:
        return f"{run_at(target)} {secret.read()}"


# --- too much ----------------------------------------------------------------------------------------------------------


@attack("bytes", alone=True, seconds=15.0, thorough=True)
def creeping_bomb(scene):
    """Little by little, each piece too small to be refused for itself."""
    held = []
    while 8 * sum(len(part) for part in held) < scene.bomb_bytes:
        held.append([0] * (8 << 20))


@attack("bytes", spoils=True, seconds=15.0)
def list_bomb(scene):
    return len([0] * (scene.bomb_bytes // 8))


@attack("bytes", spoils=True, seconds=15.0, thorough=True)
def bytes_bomb(scene):
    return len(b"x" * scene.bomb_bytes)


@attack("bytes", spoils=True, seconds=15.0, thorough=True)
def numpy_bomb(scene):
    import numpy as np

    return len(np.ones(scene.bomb_bytes // 8))


@attack("bytes", spoils=True, seconds=15.0)
def polars_bomb(scene):
    """Rust ends the process when it gets no memory."""
    import polars as pl

    return pl.int_range(0, scene.bomb_bytes // 8, eager=True).len()


@attack("bytes", spoils=True, seconds=15.0)
def shared_map_bomb(scene):
    """Memory that does not count as this process's own."""
    import mmap

    held = mmap.mmap(-1, scene.bomb_bytes)
    piece = b"x" * (16 << 20)
    for at in range(0, scene.bomb_bytes, len(piece)):
        held[at : at + len(piece)] = piece


@attack("bytes", spoils=True, seconds=15.0, thorough=True)
def text_bomb(scene):
    """One format string of a few characters."""
    return len(f"{1:x>{scene.bomb_bytes}}")


@attack("bytes", alone=True, seconds=15.0, thorough=True)
def doubling_bomb(scene):
    """Each step is as harmless as the one before."""
    import polars as pl

    frame = pl.DataFrame({"a": [1.5] * 1_000_000})
    while 8 * frame.height < scene.bomb_bytes:
        frame = pl.concat([frame, frame], rechunk=True)
    return frame.height


@attack("crash", alone=True)
def recursion(scene):
    """Past the interpreter's own guard."""
    import sys

    sys.setrecursionlimit(1 << 30)

    def deeper(value):
        return deeper(value + 1)

    return _with_c_frames(deeper)


@attack("crash", alone=True, thorough=True)
def nested_value(scene):
    """C code that walks a value, nested deeper than any stack."""
    import ctypes

    value = ()
    for _ in range(2_000_000):
        value = (value,)
    return ctypes.pythonapi.PyObject_Hash(ctypes.py_object(value))


@attack("crash", alone=True)
def null_pointer(scene):
    import ctypes

    ctypes.string_at(0)


@attack("crash", alone=True)
def crafted_bytecode(scene):
    """A code object that the compiler would never write."""

    def f():
        pass

    f.__code__ = f.__code__.replace(co_code=bytes([100, 255, 83, 0] * 8), co_consts=(), co_stacksize=1)
    return f()


@attack("crash", alone=True, thorough=True)
def abort(scene):
    import os

    os.abort()


@attack("crash", alone=True)
def quiet_end(scene):
    import os

    os._exit(0)


@attack("crash", spoils=True, thorough=True)
def kill_itself(scene):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@attack("crash", alone=True)
def close_everything(scene):
    import os

    os.closerange(0, 64)


@attack("crash", alone=True)
def deleted_modules(scene):
    """Pulls the ground from under the host's own code in this process."""
    import builtins
    import sys

    for name in list(sys.modules):
        if name.startswith(("shell", "json", "os", "struct")):
            vars(sys.modules[name]).clear()
    vars(builtins).clear()


def _with_c_frames(function):
    """Each level of the recursion passes through C code, where the interpreter counts nothing."""
    from functools import partial, reduce

    def step(_, value):
        return reduce(step, [value, value + 1])

    return partial(reduce, step, [0, 1])() or function(0)


def _unloaded():
    from pathlib import Path

    with open("/proc/self/maps") as maps:
        loaded = maps.read()
    for name in ("libutil.so.1", "libresolv.so.2", "libanl.so.1", "libnsl.so.1", "libBrokenLocale.so.1", "libthread_db.so.1"):
        for folder in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib"):
            if Path(folder, name).exists() and name not in loaded:
                return f"{folder}/{name}"
    return "libresolv.so.2"
