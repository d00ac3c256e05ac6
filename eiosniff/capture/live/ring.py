"""Packets of an interface through a socket of this process: scapy opens it, and has its filter run in the kernel."""

import socket

from eiosniff.errors import CaptureError


def open_packet_socket(interface: str, expression: str) -> socket.socket:
    """See `Opener.packet_socket`."""
    from scapy.arch.linux import L2ListenSocket  # noqa: PLC0415  (takes a while to load)
    from scapy.error import Scapy_Exception  # noqa: PLC0415

    try:
        opened = L2ListenSocket(iface=interface, filter=expression or None)
    except Scapy_Exception as error:
        raise CaptureError(f"the filter {expression!r} cannot be used: {error}", "see pcap-filter(7)") from None
    ins: socket.socket = opened.ins
    return ins
