"""Asks the kernel for what honest code never needs: other processes, their memory, new name spaces, odd descriptors, keys."""

from strategy.skills.kit import AT_FDCWD, Strategy, attack, call, drained, libc

__all__ = ["Strategy"]

_PTRACE_ATTACH, _PTRACE_SEIZE = 16, 0x4206
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWUTS = 0x20000, 0x10000000, 0x40000000, 0x04000000


# --- other processes ---------------------------------------------------------------------------------------------------


@attack("victim", spoils=True, lacks="tracing is restricted here")
def trace_a_bystander(scene):
    call("ptrace", _PTRACE_SEIZE, scene.victim, 0, 0)


@attack("victim", spoils=True, lacks="tracing is restricted here", thorough=True)
def trace_and_stop_a_bystander(scene):
    call("ptrace", _PTRACE_ATTACH, scene.victim, 0, 0)


@attack("told", lacks="reading another process is restricted here")
def read_the_parents_memory(scene):
    import ctypes

    buffer, vector, remote = _vectors(scene)
    call("process_vm_readv", scene.parent, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0)
    return buffer.raw


@attack("memory of others", lacks="writing another process is restricted here", thorough=True)
def write_the_parents_memory(scene):
    import ctypes

    buffer, vector, remote = _vectors(scene)
    buffer.value = b"x" * scene.length
    call("process_vm_writev", scene.parent, ctypes.byref(vector), 1, ctypes.byref(remote), 1, 0)


@attack("told", lacks="reading another process is restricted here")
def read_the_parents_memory_as_a_file(scene):
    with open(f"/proc/{scene.parent}/mem", "rb", 0) as memory:
        memory.seek(scene.address)
        return memory.read(scene.length)


@attack("memory of others", lacks="writing another process is restricted here")
def write_the_parents_memory_as_a_file(scene):
    with open(f"/proc/{scene.parent}/mem", "r+b", 0) as memory:
        memory.seek(scene.address)
        memory.write(b"x" * scene.length)


@attack("told", lacks="another process is hidden here")
def read_the_parents_environment(scene):
    """Where keys live."""
    with open(f"/proc/{scene.parent}/environ", "rb") as file:
        return max(file.read().split(b"\0"), key=len)[:200]


@attack("told", lacks="another's descriptors are hidden here")
def reopen_the_parents_descriptor(scene):
    import os

    return os.read(os.open(f"/proc/{scene.parent}/fd/{scene.pipe}", os.O_RDONLY | os.O_NONBLOCK), 100)


@attack("told", lacks="taking another's descriptors is restricted here")
def take_the_parents_descriptor(scene):
    """A copy of a pipe's end that the parent holds open, as it holds its database and its exchange connection."""
    process = call("pidfd_open", scene.parent, 0)
    return drained(call("pidfd_getfd", process, scene.pipe, 0))


@attack("victim")
def kill_a_bystander(scene):
    import os
    import signal

    os.kill(scene.victim, signal.SIGKILL)


@attack("victim", thorough=True)
def stop_a_bystander(scene):
    call("kill", scene.victim, 19)


@attack("victim", thorough=True)
def kill_a_bystanders_group(scene):
    import os
    import signal

    os.killpg(scene.victim, signal.SIGKILL)


@attack("victim", thorough=True)
def kill_a_bystanders_thread(scene):
    call("tgkill", scene.victim, scene.victim, 9)


@attack("victim", lacks="the kernel is older than descriptors of processes", thorough=True)
def kill_by_descriptor(scene):
    call("pidfd_send_signal", call("pidfd_open", scene.victim, 0), 9, None, 0)


@attack("signalled")
def signal_the_parent(scene):
    import os

    os.kill(scene.parent, scene.signal)


@attack("signalled")
def signal_the_parent_by_thread(scene):
    call("tkill", scene.parent, scene.signal)


@attack("signalled")
def queue_a_signal_to_the_parent(scene):
    """With a value, as if the kernel's timers had sent it."""
    import ctypes

    information = ctypes.create_string_buffer(128)
    ctypes.cast(information, ctypes.POINTER(ctypes.c_int))[0] = scene.signal
    ctypes.cast(information, ctypes.POINTER(ctypes.c_int))[2] = -1
    call("rt_sigqueueinfo", scene.parent, scene.signal, information)


@attack("signalled", spoils=True)
def die_with_a_signal_for_the_parent(scene):
    """A child may name the signal that its parent gets; an owner of a descriptor may name who gets it."""
    import fcntl
    import os

    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, scene.parent)
    fcntl.fcntl(reader, 10, scene.signal)
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    os.write(writer, b"x")


@attack("victim")
def change_a_bystanders_limits(scene):
    import resource

    _, hard = resource.prlimit(scene.victim, resource.RLIMIT_NOFILE)
    resource.prlimit(scene.victim, resource.RLIMIT_NOFILE, (17, hard))


@attack("victim")
def change_a_bystanders_priority(scene):
    import os

    os.setpriority(os.PRIO_PROCESS, scene.victim, 7)


@attack("victim", lacks="this machine has one processor")
def move_a_bystander(scene):
    import os

    os.sched_setaffinity(scene.victim, {min(os.sched_getaffinity(scene.victim))})


@attack("told", lacks="another process is hidden here")
def read_a_bystanders_folder_through_proc(scene):
    with open(f"/proc/{scene.victim}/root{scene.folder}/secret.txt") as file:
        return file.read()


# --- its own standing --------------------------------------------------------------------------------------------------


@attack("standing", spoils=True, lacks="only root may raise a limit again")
def raise_its_own_limits(scene):
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000))
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@attack("process", spoils=True, lacks="name spaces of users are not permitted here")
def new_user_space(scene):
    """Root among its own: a process that may mount, and open raw sockets, in there."""
    import os
    import time

    if call("clone", _CLONE_NEWUSER | _CLONE_NEWNET | 17, 0, 0, 0, 0) == 0:
        time.sleep(scene.linger)
        os._exit(0)


@attack("standing", spoils=True, lacks="name spaces are not permitted here")
def new_network_space(scene):
    call("unshare", _CLONE_NEWNET)


@attack("standing", spoils=True, lacks="name spaces are not permitted here", thorough=True)
def new_space_by_clone(scene):
    """Without another process: the mount space of this one."""
    call("unshare", _CLONE_NEWNS | 0x200)


@attack("standing", spoils=True, lacks="joining a name space is not permitted here")
def join_the_parents_space(scene):
    """Back to the parent's network, by way of one of its own."""
    import os

    there = os.open(f"/proc/{scene.parent}/ns/uts", os.O_RDONLY)
    call("unshare", _CLONE_NEWUTS)
    os.stat(there)
    call("setns", there, _CLONE_NEWUTS)
    call("unshare", _CLONE_NEWUTS)


@attack("standing", spoils=True, lacks="mounting is not permitted here")
def mount_something(scene):
    try:
        call("unshare", _CLONE_NEWNS | 0x200)
    except OSError as error:
        if error.errno not in (1, 38):
            raise
    call("mount", b"none", f"{scene.folder}/empty".encode(), b"tmpfs", 0, 0)


@attack("descriptor", lacks="this kernel has no such mounts, or not for this user", thorough=True)
def mount_by_descriptor(scene):
    call("fsopen", b"tmpfs", 0)


@attack("descriptor", lacks="this kernel has no such mounts, or not for this user", thorough=True)
def copy_a_tree_of_mounts(scene):
    call("open_tree", AT_FDCWD, b"/", 1)


@attack("standing", spoils=True, lacks="only root may change its root")
def change_root(scene):
    import os

    os.chroot(scene.folder)


@attack("standing", spoils=True, lacks="only root may become another")
def become_another_user(scene):
    import os

    os.setresuid(1, 1, 1)


@attack("standing", alone=True)
def ignore_signals(scene):
    import ctypes

    handler = ctypes.c_void_p(1)
    library = libc()
    library.signal.restype = ctypes.c_void_p
    library.signal(10, handler)


@attack("standing", spoils=True)
def change_personality(scene):
    call("personality", 0x0040000)


@attack("standing", spoils=True, thorough=True)
def lower_its_priority(scene):
    import os

    os.nice(5)


@attack("standing", spoils=True, lacks="only root may schedule so", thorough=True)
def run_before_everybody(scene):
    import os

    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@attack("standing", spoils=True)
def filter_its_own_calls(scene):
    """A filter of its own decides what the host's code in the same process is told."""
    import ctypes
    import struct

    call("prctl", 38, 1, 0, 0, 0)
    program = ctypes.create_string_buffer(struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
    description = struct.pack("<HxxxxxxQ", 1, ctypes.addressof(program))
    call("seccomp", 1, 0, ctypes.create_string_buffer(description))


@attack("standing", spoils=True, lacks="this process shows no such file")
def protect_from_memory_shortage(scene):
    """The kernel would end others first."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")


# --- descriptors that open doors ---------------------------------------------------------------------------------------


@attack("descriptor")
def memory_file(scene):
    call("memfd_create", b"x", 0)


@attack("descriptor", lacks="this kernel has no secret memory", thorough=True)
def secret_memory_file(scene):
    call("memfd_secret", 0)


@attack("descriptor", lacks="io_uring is switched off here")
def io_ring(scene):
    """A queue of requests that the kernel serves by itself, past any filter of calls."""
    import ctypes

    call("io_uring_setup", 4, ctypes.create_string_buffer(120))


@attack("descriptor", lacks="bpf is not for this user")
def bpf_map(scene):
    import ctypes
    import struct

    attributes = ctypes.create_string_buffer(struct.pack("<4I", 2, 4, 8, 1), 120)
    call("bpf", 0, attributes, 72)


@attack("descriptor", lacks="user page faults are not permitted here")
def page_faults(scene):
    call("userfaultfd", 0x80000)


@attack("descriptor", lacks="performance counters are not permitted here")
def performance_counter(scene):
    import ctypes
    import struct

    attributes = ctypes.create_string_buffer(struct.pack("<2IQ", 1, 120, 9), 120)
    call("perf_event_open", attributes, 0, -1, -1, 0)


@attack("descriptor", lacks="the kernel is older than Landlock")
def rules_of_its_own(scene):
    import ctypes

    call("landlock_create_ruleset", ctypes.byref(ctypes.c_uint64(1)), 8, 0)


@attack("descriptor")
def file_watch(scene):
    call("inotify_init1", 0)


@attack("descriptor", lacks="watching a file system needs root", thorough=True)
def file_system_watch(scene):
    call("fanotify_init", 0, 0)


@attack("descriptor")
def timer(scene):
    call("timerfd_create", 1, 0)


@attack("descriptor")
def event_counter(scene):
    call("eventfd2", 0, 0)


@attack("descriptor")
def event_poll(scene):
    call("epoll_create1", 0)


@attack("descriptor")
def signals_as_a_file(scene):
    import ctypes

    call("signalfd4", -1, ctypes.byref(ctypes.c_uint64(1 << 20)), 8, 0)


@attack("descriptor")
def pipe(scene):
    import ctypes

    call("pipe2", (ctypes.c_int * 2)(), 0)


@attack("descriptor")
def copy_of_a_descriptor(scene):
    """A second number for the request socket, which a rule by number would not know."""
    import os

    for number in range(3, 20):
        try:
            os.dup(number)
        except OSError:
            continue


# --- what outlives it --------------------------------------------------------------------------------------------------


@attack("kernel object")
def shared_memory(scene):
    call("shmget", scene.ipc_key, 4096, 0o1600)


@attack("kernel object")
def message_queue(scene):
    call("msgget", scene.ipc_key, 0o1600)


@attack("kernel object")
def semaphore(scene):
    call("semget", scene.ipc_key, 1, 0o1600)


@attack("kernel object", lacks="/dev/shm is not mounted")
def shared_memory_file(scene):
    from _posixshmem import shm_open

    shm_open(f"/{scene.mark}", 0o102, 0o600)


@attack("descriptor", lacks="this kernel has no POSIX queues")
def posix_queue(scene):
    call("mq_open", scene.mark.encode(), 0o102, 0o600, None)


@attack("kernel object", lacks="this kernel keeps no keys")
def stored_key(scene):
    """A secret left for a later process, in the kernel's own memory."""
    call("add_key", b"user", scene.mark.encode(), b"here", 4, -4)


@attack("told", lacks="this kernel keeps no keys", thorough=True)
def session_keys(scene):
    """Reads what it (or another process of this user) left among the keys."""
    import ctypes

    with open(f"{scene.folder}/secret.txt", "rb") as file:
        kept = file.read()
    key = call("add_key", b"user", b"hostile", kept, len(kept), -2)
    buffer = ctypes.create_string_buffer(64)
    call("keyctl", 11, key, buffer, 64)
    return buffer.value


@attack("descriptor", lacks="the kernel's log is not for this user")
def kernel_log(scene):
    import ctypes

    call("syslog", 3, ctypes.create_string_buffer(100), 100)
    with open("/dev/kmsg", "rb", 0) as log:
        scene.strategy.kept = log
        return "kernel log read" if call("dup", log.fileno()) else None


@attack("descriptor")
def terminal(scene):
    import os

    scene.strategy.kept = os.open("/dev/ptmx", os.O_RDWR)


@attack("descriptor", lacks="comparing processes is restricted here")
def compare_with_the_parent(scene):
    """Which of the parent's descriptors are the same as its own: a first step of finding things."""
    import os

    call("kcmp", scene.parent, os.getpid(), 1, 0, 0)
    scene.strategy.kept = os.pipe()


def _vectors(scene):
    import ctypes

    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))

    buffer = ctypes.create_string_buffer(64)
    return buffer, Vector(ctypes.addressof(buffer), scene.length), Vector(scene.address, scene.length)
