"""Reads, writes and deletes files through every door of the standard library and the C library."""

from strategy.skills.kit import AT_FDCWD, Strategy, attack, call, drained, libc

__all__ = ["Strategy"]


def secret(scene):
    return f"{scene.folder}/secret.txt"


def marker(scene):
    return f"{scene.folder}/marker"


@attack("told")
def open_read(scene):
    with open(secret(scene)) as file:
        return file.read()


@attack("files")
def open_write(scene):
    with open(marker(scene), "w") as file:
        file.write("here")


@attack("files")
def open_append(scene):
    with open(f"{scene.folder}/victim.txt", "a") as file:
        file.write("more")


@attack("told")
def os_read(scene):
    import os

    return os.read(os.open(secret(scene), os.O_RDONLY), 100)


@attack("files")
def os_write(scene):
    import os

    os.write(os.open(marker(scene), os.O_WRONLY | os.O_CREAT), b"here")


@attack("files")
def os_unnamed_file(scene):
    """A file without a name, then a name for it."""
    import os

    descriptor = os.open(scene.folder, os.O_RDWR | os.O_TMPFILE)
    os.write(descriptor, b"here")
    libc().linkat(AT_FDCWD, f"/proc/self/fd/{descriptor}".encode(), AT_FDCWD, marker(scene).encode(), 0x400)


@attack("told")
def os_read_below_a_folder(scene):
    import os

    folder = os.open(scene.folder, os.O_RDONLY | os.O_DIRECTORY)
    return os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=folder), 100)


@attack("told")
def posix_read(scene):
    """Past the module `os`, which the shell might have emptied."""
    import posix

    return posix.read(posix.open(secret(scene), posix.O_RDONLY), 100)


@attack("told")
def raw_file_object(scene):
    import _io

    return _io.FileIO(secret(scene)).readall()


@attack("told")
def open_code(scene):
    import io

    return io.open_code(secret(scene)).read()


@attack("told")
def codecs_read(scene):
    import codecs

    with codecs.open(secret(scene), encoding="utf-8") as file:
        return file.read()


@attack("told")
def pathlib_read(scene):
    from pathlib import Path

    return Path(secret(scene)).read_text()


@attack("files")
def pathlib_write(scene):
    from pathlib import Path

    Path(marker(scene)).write_text("here")


@attack("files")
def pathlib_touch(scene):
    from pathlib import Path

    Path(marker(scene)).touch()


@attack("files")
def remove(scene):
    import os

    os.remove(f"{scene.folder}/victim.txt")


@attack("files")
def pathlib_unlink(scene):
    from pathlib import Path

    Path(scene.folder, "victim.txt").unlink()


@attack("files")
def rename(scene):
    import os

    os.rename(f"{scene.folder}/victim.txt", marker(scene))


@attack("files")
def replace_with_nothing(scene):
    import os

    os.truncate(f"{scene.folder}/victim.txt", 0)


@attack("files")
def make_folder(scene):
    import os

    os.mkdir(marker(scene))


@attack("files")
def remove_folder(scene):
    import os

    os.rmdir(f"{scene.folder}/empty")


@attack("files")
def remove_tree(scene):
    import shutil

    shutil.rmtree(f"{scene.folder}/names")


@attack("files")
def symbolic_link(scene):
    import os

    os.symlink("/etc/passwd", marker(scene))


@attack("files")
def hard_link(scene):
    import os

    os.link(f"{scene.folder}/victim.txt", marker(scene))


@attack("files")
def change_mode(scene):
    import os

    os.chmod(f"{scene.folder}/victim.txt", 0o600)


@attack("files")
def change_times(scene):
    import os

    os.utime(f"{scene.folder}/victim.txt", (1, 1))


@attack("files", lacks="this file system keeps no attributes")
def extended_attribute(scene):
    import os

    os.setxattr(f"{scene.folder}/victim.txt", "user.hostile", b"here")


@attack("files")
def make_fifo(scene):
    import os

    os.mkfifo(marker(scene))


@attack("files")
def make_node(scene):
    import os
    import stat

    os.mknod(marker(scene), 0o600 | stat.S_IFREG)


@attack("told")
def list_folder(scene):
    import os

    return " ".join(os.listdir(f"{scene.folder}/names"))


@attack("told")
def scan_folder(scene):
    import os

    return " ".join(entry.name for entry in os.scandir(f"{scene.folder}/names"))


@attack("told")
def walk_folders(scene):
    import os

    return str([names for _, _, names in os.walk(f"{scene.folder}/names")])


@attack("told")
def glob_names(scene):
    from pathlib import Path

    return str(list(Path(scene.folder).glob("names/*")))


@attack("told")
def file_size(scene):
    import os

    return os.stat(f"{scene.folder}/size.bin").st_size


@attack("told")
def read_link(scene):
    import os

    return os.readlink(f"{scene.folder}/link")


@attack("told")
def resolve_link(scene):
    import os

    return os.path.realpath(f"{scene.folder}/link")


@attack("files")
def copy_file(scene):
    import shutil

    shutil.copyfile(secret(scene), marker(scene))


@attack("files")
def temporary_file(scene):
    import tempfile

    tempfile.mkstemp(dir=scene.folder)


@attack("told")
def map_file(scene):
    import mmap

    with open(secret(scene), "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        return mapped[:]


@attack("told")
def sqlite_read(scene):
    import sqlite3

    return sqlite3.connect(f"{scene.folder}/secret.db").execute("select * from prizes").fetchall()


@attack("files")
def sqlite_write(scene):
    import sqlite3

    with sqlite3.connect(marker(scene)) as base:
        base.execute("create table here (x)")


@attack("told")
def shelve_read(scene):
    import shelve

    return shelve.open(f"{scene.folder}/secret.shelf")["secret"]


@attack("files")
def shelve_write(scene):
    import shelve

    with shelve.open(marker(scene)) as shelf:
        shelf["here"] = 1


@attack("files")
def pickle_to_file(scene):
    import pickle

    with open(marker(scene), "wb") as file:
        pickle.dump({}, file)


@attack("files")
def gzip_write(scene):
    import gzip

    with gzip.open(marker(scene), "wb") as file:
        file.write(b"here")


@attack("files")
def zip_write(scene):
    import zipfile

    with zipfile.ZipFile(marker(scene), "w") as file:
        file.writestr("here", "x")


@attack("files")
def log_to_file(scene):
    import logging

    logging.FileHandler(marker(scene)).emit(logging.makeLogRecord({"msg": "here"}))


@attack("told")
def linecache_read(scene):
    import linecache

    return linecache.getline(secret(scene), 1)


@attack("told")
def loader_read(scene):
    """The import system's own reader of files."""
    import importlib.machinery

    return importlib.machinery.SourceFileLoader("x", secret(scene)).get_data(secret(scene))


@attack("told")
def import_from_folder(scene):
    import sys

    sys.path.insert(0, scene.folder)
    try:
        import planted

        return planted.TOKEN
    finally:
        sys.path.remove(scene.folder)


@attack("told")
def run_a_file(scene):
    import runpy

    return runpy.run_path(f"{scene.folder}/planted.py")["TOKEN"]


@attack("files")
def bytecode_cache(scene):
    import py_compile

    py_compile.compile(f"{scene.folder}/planted.py", cfile=marker(scene))


@attack("told")
def through_proc_root(scene):
    with open(f"/proc/self/root{secret(scene)}") as file:
        return file.read()


@attack("told")
def through_the_working_folder(scene):
    import os

    os.chdir(scene.folder)
    with open("secret.txt") as file:
        return file.read()


@attack("told", lacks="this Python has no working ssl module")
def certificate_store(scene):
    """OpenSSL opens the file itself, and says what it could not parse."""
    import ssl

    try:
        ssl.create_default_context(cafile=f"{scene.folder}/secret.pem")
    except ssl.SSLError:
        with open(f"{scene.folder}/secret.pem") as file:
            return file.read()


@attack("told")
def c_library_open(scene):
    return drained(libc().open(secret(scene).encode(), 0))


@attack("files")
def c_library_file(scene):
    import ctypes

    fopen = libc().fopen
    fopen.restype = ctypes.c_void_p
    if not fopen(marker(scene).encode(), b"w"):
        raise OSError(ctypes.get_errno(), "fopen")


@attack("files")
def c_library_remove(scene):
    libc().unlink(f"{scene.folder}/victim.txt".encode())


@attack("told")
def call_open(scene):
    return drained(call("open" if "x86_64" in _machine() else "openat", *_open_arguments(scene)))


@attack("told")
def call_openat(scene):
    return drained(call("openat", AT_FDCWD, secret(scene).encode(), 0))


@attack("told", lacks="the kernel is older than openat2")
def call_openat2(scene):
    import ctypes

    how = (ctypes.c_uint64 * 3)(0, 0, 0)
    return drained(call("openat2", AT_FDCWD, secret(scene).encode(), how, 24))


@attack("files", lacks="only x86_64 has creat")
def call_creat(scene):
    call("creat", marker(scene).encode(), 0o666)


@attack("files")
def call_mkdirat(scene):
    call("mkdirat", AT_FDCWD, marker(scene).encode(), 0o777)


@attack("files")
def call_unlinkat(scene):
    call("unlinkat", AT_FDCWD, f"{scene.folder}/victim.txt".encode(), 0)


@attack("told", lacks="opening by handle needs root")
def call_open_by_handle(scene):
    """A file named by its number in the file system, past every check of paths."""
    import ctypes
    import os

    handle = ctypes.create_string_buffer(b"\x80\0\0\0" + b"\0" * 132)
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, secret(scene).encode(), handle, ctypes.byref(mount), 0)
    folder = os.open(scene.folder, os.O_RDONLY)
    return drained(call("open_by_handle_at", folder, handle, 0))


@attack("told", lacks="this kernel has no x32 calls")
def call_x32_open(scene):
    """The same call under the numbers of another interface of the same machine."""
    from strategy.skills.kit import CALLS, call_number

    return drained(call_number(0x40000000 + CALLS["open"][0], *_open_arguments(scene), name="x32 open"))


@attack("told")
def inherited_descriptors(scene):
    """Whatever is open already, read as it is: a descriptor that the parent forgot, or standard input."""
    import os

    found = []
    os.open(secret(scene), os.O_RDONLY)
    for descriptor in reversed(range(64)):
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("/"):
                found.append(os.read(descriptor, 40))
        except OSError:
            continue
    return str(found)


def _machine():
    import sys

    return sys.implementation._multiarch


def _open_arguments(scene):
    path = secret(scene).encode()
    return (path, 0) if "x86_64" in _machine() else (AT_FDCWD, path, 0)
