# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire with faults: forwards Ethernet frames between two interfaces, some of them badly.

Started by `lab.Lab`, in a namespace of its own. The one argument is a `lab.RelayPlan` as JSON. A
line `cut` on stdin makes the wire a dead one, `mend` undoes that; each is repeated on stdout when
done.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import select
import socket
import sys
import time

DEVICES = ("toclient", "toserver")
ETHERTYPE_ALL = 0x0003


def carries_tcp(frame: bytes) -> bool:
    kind = frame[12:14]
    return (kind == b"\x08\x00" and frame[23] == 6) or (kind == b"\x86\xdd" and frame[20] == 6)


def main() -> None:
    plan = json.loads(sys.argv[1])
    dice = random.Random(plan["seed"])
    ends = []
    for device in DEVICES:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ALL))
        end.bind((device, 0))
        ends.append(end)
    others = {ends[0]: ends[1], ends[1]: ends[0]}
    # The next to arrive comes first; the number keeps frames of the same moment in order.
    under_way: list[tuple[float, int, socket.socket, bytes]] = []
    numbers = itertools.count()
    dead = False
    print("RELAYING", flush=True)
    while True:
        patience = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select([*ends, sys.stdin.fileno()], [], [], patience)
        now = time.monotonic()
        for source in readable:
            if not isinstance(source, socket.socket):
                word = os.read(source, 100).decode().strip()
                if not word:
                    return
                dead = word == "cut"
                print(word, flush=True)
                continue
            frame, (_, _, packet_type, _, _) = source.recvfrom(65536)
            if packet_type == socket.PACKET_OUTGOING or dead:
                continue  # a packet socket also sees what was sent through it
            due = now + plan["delay_ms"] / 1000
            copies = 1
            if carries_tcp(frame):
                if dice.random() < plan["loss"]:
                    continue
                if dice.random() < plan["reorder"]:
                    due += plan["hold_ms"] / 1000
                if dice.random() < plan["duplicate"]:
                    copies = 2
            for _ in range(copies):
                heapq.heappush(under_way, (due, next(numbers), others[source], frame))
        while under_way and under_way[0][0] <= now:
            _, _, target, frame = heapq.heappop(under_way)
            target.send(frame)


if __name__ == "__main__":
    main()
