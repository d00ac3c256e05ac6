"""`python -m tests.bench`: time and memory of eiosniff.

compare           next to tshark, on the same captures, in turn (this is what it does unless told otherwise)
profile busy      in which function of eiosniff the time goes (with the decoders not compiled)
limits            what each step of an analysis costs
start             before anything is done, next to Python alone
scale             three times the packets
stream            any amount of traffic through standard input
handshakes        sessions that nobody comes back to
messages          messages of one session
live              what is lost, and how late faults are told, where packets come fast over an interface (needs root)
live-flat         whether `eiosniff live` holds more and more, over 24 hours of traffic at speed
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench import flat
from tests.bench import live as replay
from tests.bench.compare import CAPTURES, build, compare_all, machine
from tests.bench.limits import limits, parts
from tests.bench.live_hours import HOURS, PACKETS, live_flat
from tests.bench.start import start


def profile(names: list[str], packets: int | None) -> None:
    """Say where the time goes."""
    for name in names:
        subprocess.run([sys.executable, "-m", "tests.bench.layers", build(name, packets)["path"]], check=True)


def measure(chosen: argparse.Namespace, names: list[str]) -> Any:
    """What was asked for; the figures are printed too."""
    match chosen.what:
        case "start":
            return start(chosen.runs)
        case "limits":
            built = build(names[0], chosen.packets)
            return {"steps": limits(Path(built["path"]), built["truth"]), "parts": parts()}
        case "scale":
            return flat.scale(full=chosen.full, runs=chosen.runs)
        case "stream" | "handshakes" | "messages" as kind:
            large = chosen.gigabytes if kind == "stream" else chosen.count
            return flat.STREAMS[kind](chosen.small or flat.SMALL[kind], large or flat.LARGE[kind])
        case "live":
            programs = chosen.programs.split(",") if chosen.programs else replay.PROGRAMS
            rates = [int(rate) for rate in chosen.rates.split(",")]
            return replay.live(programs, rates, chosen.seconds, write=chosen.write)
        case "live-flat":
            return [live_flat(chosen.hours, chosen.packets or PACKETS)]
    return compare_all(names, chosen.packets, chosen.runs or 3)


def main() -> int:
    """Measure, or profile."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = ["compare", "profile", "limits", "start", "scale", "stream", "handshakes", "messages", "live", "live-flat"]
    parser.add_argument("what", nargs="?", choices=kinds, default="compare")
    parser.add_argument("capture", nargs="?", choices=CAPTURES, help="only this one")
    parser.add_argument("--only", choices=CAPTURES, help="only this capture")
    parser.add_argument(
        "--packets",
        type=int,
        help="compare, profile: build captures of about so many packets; live-flat: in an hour (default: 300000)",
    )
    parser.add_argument("--runs", type=int, help="of each program; the median counts (default: 3; start: 11)")
    parser.add_argument("--full", action="store_true", help="scale: 935,000 and 2,805,000 packets")
    parser.add_argument("--gigabytes", type=float, help="stream: how much (default: 10)")
    parser.add_argument("--count", type=int, help="handshakes (default: 300000), messages (default: 10000000)")
    parser.add_argument(
        "--small",
        type=float,
        help="stream, handshakes, messages: what it is compared with (default: 1 GB, 100000, 200000)",
    )
    parser.add_argument(
        "--programs",
        metavar="NAME,...",
        help=f"live: which (default: all: {','.join(replay.PROGRAMS)})",
    )
    parser.add_argument(
        "--rates", metavar="N,...", default=str(replay.RATE), help="live: packets a second (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=replay.SECONDS, help="live: how long packets are sent (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="live: eiosniff keeps the packets too")
    parser.add_argument("--hours", type=int, default=HOURS, help="live-flat: how many (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file too")
    chosen = parser.parse_args()
    only = chosen.capture or chosen.only
    names = [only] if only else list(CAPTURES)
    try:
        if chosen.what == "profile":
            profile(names, chosen.packets)
            return 0
        here = machine()
        print(", ".join(f"{key}: {value}" for key, value in here.items()))
        results = measure(chosen, names)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if chosen.json:
        chosen.json.write_text(json.dumps({"machine": here, "results": results}, indent=2) + "\n", encoding="utf-8")
    return int(chosen.what.startswith("live") and any(result["problems"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
