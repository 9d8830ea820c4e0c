"""The operating system's wall in real processes: what holds, in which order, and what each layer stops by itself.

A probe here is a throw-away interpreter that puts up part of the wall and then tries something; the same try without the
wall comes first, because an attempt that never works proves nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Thread

import pytest

from shell.clock import monotonic
from shell.contract import Signal
from shell.errors import StrategyFault
from shell.host import landlock, lane
from shell.host.isolation import attested, isolation_is_complete
from shell.host.port import StrategySource
from shell.host.spawn import ROOT
from shell.host.supervisor import HostedStrategy
from shell.host.syscalls import this_machine
from tests.shell.host.sources import LIMITS, QUICK, SYMBOLS, scan, strategy, windows

pytestmark = [
    pytest.mark.skipif(this_machine() is None, reason="needs Linux on x86-64 or aarch64"),
    pytest.mark.skipif(not landlock.version(), reason="needs a kernel with Landlock"),
]

NOBODY = 65534


def probe(code: str, *, enclosed: bool, nobody: bool = False, imported: bool = True) -> str:
    """What `code` prints in an interpreter of its own, inside the early wall or without it; "denied" for PermissionError."""
    script = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
if {imported}:
    from shell.host.lockdown import enclose
if {enclosed}:
    enclose({str(ROOT)!r}, os.getppid())
try:
{textwrap.indent(textwrap.dedent(code).strip(), "    ")}
except PermissionError:
    print("denied")
"""
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if nobody else {}
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **who,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


def started(source: StrategySource) -> HostedStrategy:
    host = HostedStrategy(source, QUICK, check_policy=False)
    host.start(symbols=SYMBOLS, limits=LIMITS, windows=windows(), state=None)
    return host


def gone(pid: int) -> bool:
    """True if there is no such process, or only its name waiting to be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def processor_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    "code",
    [
        f"print(len(open({str(ROOT / 'pyproject.toml')!r}).read()) > 0)",
        f"print(len(os.listdir({str(ROOT)!r})) > 0)",
        "print(len(open('/etc/passwd').read()) > 0)",
        "print(os.open('/dev/null', os.O_WRONLY) > 0)",
        "import subprocess; print(subprocess.run(['/bin/true']).returncode == 0)",
    ],
)
def test_before_anything_is_imported_nothing_but_code_can_be_read(code: str) -> None:
    assert probe(code, enclosed=False) == "True"
    assert probe(code, enclosed=True) == "denied"


def test_nothing_can_be_made_or_changed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    kept = tmp_path / "kept"
    kept.write_text("old")
    for number, code in enumerate(
        ("open({new!r}, 'w')", "os.mkdir({new!r})", "os.unlink({kept!r})", "os.truncate({kept!r}, 0)")
    ):
        text = code.format(new=str(tmp_path / f"new{number}"), kept=str(kept))
        assert probe(f"{text}; print('done')", enclosed=True) == "denied"
        assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_libraries_can_be_imported_and_used_and_the_threads_that_polars_starts_are_inside_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    code = f"""
    import polars
    table, done = polars.DataFrame({{"a": [1, 2]}}), []
    done.append(table.sum().item())
    for number, write in enumerate((table.write_csv, table.lazy().sink_csv, table.write_parquet)):
        try:
            write({str(tmp_path)!r} + f"/{{number}}")
            done.append("written")
        except PermissionError:
            done.append("denied")
    print(done)
    """
    assert probe(code, enclosed=True) == "[3, 'denied', 'denied', 'denied']"
    assert list(tmp_path.iterdir()) == []
    assert probe(code, enclosed=False) == "[3, 'written', 'written', 'written']"


def test_a_wall_that_comes_after_the_first_thread_is_refused() -> None:
    code = """
    import threading
    from shell.host.lockdown import enclose
    event = threading.Event()
    threading.Thread(target=event.wait, daemon=True).start()
    try:
        enclose('/', os.getppid())
    except RuntimeError as error:
        print(error)
    event.set()
    """
    assert probe(code, enclosed=False) == "the strategy's process has 2 threads before its walls stand; it must have one"


def test_the_network_is_empty() -> None:
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    if probe(code, enclosed=True) == probe(code, enclosed=False):
        pytest.skip("this machine permits no network namespace")
    assert probe(code, enclosed=True) == "['lo']"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it as somebody else")
def test_the_early_wall_stands_without_root() -> None:
    try:
        assert probe("print(os.geteuid())", enclosed=False, nobody=True) == str(NOBODY)
    except PermissionError:
        pytest.skip("this interpreter lies where nobody else may go")
    assert probe("print(len(open('/etc/passwd').read()) > 0)", enclosed=False, nobody=True) == "True"
    assert probe("print(len(open('/etc/passwd').read()) > 0)", enclosed=True, nobody=True) == "denied"


def test_the_kernel_confirms_what_the_strategys_process_says_and_ends_it_first_when_memory_is_short() -> None:
    with started(strategy()) as host:
        assert host.pid is not None
        told = attested(host.isolation, host.pid)
        assert Path(f"/proc/{host.pid}/oom_score_adj").read_text().strip() == "1000"
    assert told["seccomp"] is True
    assert isolation_is_complete(told) == ""


def test_what_a_library_may_try_by_accident_is_denied_and_an_ordinary_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    body = f"""
    import mmap, os, resource, threading
    tries = dict(
        open=lambda: open("/etc/passwd"),
        list=lambda: os.listdir("/"),
        read_csv=lambda: pl.read_csv("/etc/passwd"),
        write_csv=lambda: pl.DataFrame({{"a": [1]}}).write_csv({str(tmp_path / "a")!r}),
        sink_csv=lambda: pl.LazyFrame({{"a": [1]}}).sink_csv({str(tmp_path / "b")!r}),
        duplicate=lambda: os.dup(2),
        pipe=lambda: os.pipe(),
        machine_code=lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
        limit=lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)),
        thread=lambda: threading.Thread(target=print).start(),
    )
    done = []
    for name, attempt in tries.items():
        try:
            attempt()
            done.append(name)
        except (OSError, RuntimeError, ValueError, pl.exceptions.PolarsError):
            pass
    return [Signal("BTC/USD", Action.BUY, reasoning=f"{{len(tries)}} tried, done: {{done}}")]
    """
    with started(strategy(body)) as host:
        (answer,) = host.analyze(scan())
    assert answer.reasoning == "10 tried, done: []"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        "import _posixsubprocess, os\nos.execv('/bin/true', ['true'])",
        "import ctypes\nctypes.CDLL(None).socket(2, 1, 0)",
        "import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)",
    ],
)
def test_what_only_an_attack_does_ends_the_process(body: str) -> None:
    with started(strategy(body)) as host, pytest.raises(StrategyFault) as caught:
        host.analyze(scan())
    assert caught.value.kind == "attempt"


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (
            "seccomp",
            "incomplete: seccomp could not be used (Function not implemented); from inside the wall these were possible: ",
        ),
        ("landlock_create_ruleset", "incomplete: this kernel has no Landlock"),
    ],
)
def test_a_wall_that_the_kernel_does_not_have_is_told_and_the_rest_stands(missing: str, says: str) -> None:
    # A filter of the test's own, inherited by the strategy's process, plays the kernel without that call.
    script = f"""
import errno, sys
sys.path.insert(0, {str(ROOT)!r})
from shell.host import kernel, seccomp
number = kernel.MACHINE.numbers[{missing!r}]
steps = ((0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, seccomp.denied(errno.ENOSYS)), (0x06, 0, 0, seccomp.ALLOW))
kernel.set_process(kernel.PR_SET_NO_NEW_PRIVS, 1)
seccomp.install(seccomp.Instruction(*step) for step in steps)
from shell.host.isolation import isolation_is_complete
from tests.shell.host.test_lockdown import started
from tests.shell.host.sources import scan, strategy
with started(strategy()) as host:
    assert host.analyze(scan()) == []
    print(isolation_is_complete(host.isolation))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert says in done.stdout, done.stdout + done.stderr


def test_without_linux_the_absence_of_a_wall_is_a_sentence() -> None:
    code = """
    import sys
    sys.platform = "darwin"
    from shell.host.isolation import isolation_is_complete, read_isolation
    from shell.host.lockdown import enclose, lock_down
    told = lock_down(enclose("/", os.getppid()), (0,))
    assert read_isolation(told) == told
    print(isolation_is_complete(told))
    """
    assert "incomplete: darwin has neither seccomp nor Landlock" in probe(code, enclosed=False, imported=False)


@pytest.mark.skipif(not lane.available(), reason="this machine has no lane")
def test_what_the_parent_shows_cannot_be_written_to() -> None:
    body = """
    import ctypes, mmap, sys
    libc = ctypes.CDLL(None, use_errno=True)
    own = mmap.mmap(-1, 4096, prot=mmap.PROT_READ)
    possible = libc.mprotect(ctypes.c_void_p(np.frombuffer(own, dtype=np.uint8).ctypes.data), 4096, 3)
    frame = sys._getframe()
    while "ends" not in frame.f_locals:
        frame = frame.f_back
    shown = np.frombuffer(frame.f_locals["ends"][0].view, dtype=np.uint8).ctypes.data
    refused = libc.mprotect(ctypes.c_void_p(shown), 4096, 3)
    removed = libc.madvise(ctypes.c_void_p(shown), 4096, 9)
    return [Signal("BTC/USD", Action.BUY, reasoning=f"{possible} {refused} {removed}")]
    """
    with started(strategy(body)) as host:
        (answer,) = host.analyze(scan())
    assert answer.reasoning == "0 -1 -1"


def test_printing_goes_nowhere_and_does_no_harm() -> None:
    with started(strategy("print('x' * 100_000, flush=True)\nreturn [Signal('BTC/USD', Action.BUY)]")) as host:
        assert len(host.analyze(scan())) == 1
        host.close()
        assert host.last_words == ""


def test_a_strategy_at_work_dies_with_the_shell() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.shell.host.test_lockdown import started
from tests.shell.host.sources import scan, strategy
host = started(strategy("while True: pass"))
print(host.pid, flush=True)
host._call_seconds = 60.0
host.analyze(scan())
"""
    shell = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert shell.stdout is not None
    pid = int(shell.stdout.readline())
    # One that waits for a request would end by itself; this one must be in its loop.
    begun = processor_seconds(pid)
    while processor_seconds(pid) < begun + 0.3:
        assert not gone(pid)
    shell.send_signal(signal.SIGKILL)
    shell.wait()
    shell.stdout.close()
    # Long before the alarm of the strategy's process (7 s) could do it.
    deadline = monotonic() + 4.0
    while not gone(pid):
        assert monotonic() < deadline


def test_a_strategy_outlives_the_thread_that_asked_for_it() -> None:
    made: list[HostedStrategy] = []
    thread = Thread(target=lambda: made.append(started(strategy("return [Signal('BTC/USD', Action.BUY)]"))))
    thread.start()
    thread.join()
    with made[0] as host:
        assert len(host.analyze(scan())) == 1


def test_strategies_can_be_started_after_a_fork() -> None:
    with started(strategy()):
        child = os.fork()
        if child == 0:
            answers: list[Signal] = []
            try:
                signal.alarm(30)
                with started(strategy("return [Signal('BTC/USD', Action.BUY)]")) as host:
                    answers = host.analyze(scan())
            finally:
                os._exit(0 if len(answers) == 1 else 1)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
