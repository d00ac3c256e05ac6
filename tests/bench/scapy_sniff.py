"""What scapy's own `sniff` takes: `python -m tests.bench.scapy_sniff INTERFACE`, until SIGINT; then a line of JSON."""

import json
import socket
import struct
import sys

from scapy.config import conf
from scapy.sendrecv import sniff

SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h


def main() -> None:
    """Count packets, as a script of a user would."""
    seen = 0

    def count(packet: object) -> None:
        nonlocal seen
        seen += 1

    opened = conf.L2listen(iface=sys.argv[1])
    print("ready", flush=True)
    sniff(opened_socket=opened, prn=count, store=False)
    inner: socket.socket = opened.ins
    _, dropped = struct.unpack("II", inner.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps({"packets": seen, "dropped": dropped}))


if __name__ == "__main__":
    main()
