"""`eiosniff live` without an interface: which ones there are, and where something is going on."""

import sys
import time
from typing import TYPE_CHECKING

from eiosniff.cli.output import Output, text_of

if TYPE_CHECKING:
    from eiosniff.capture.live.devices import Device, Rate

# For so long it is counted what goes over them (s).
_LOOK_S = 1.0


def list_interfaces(*, no_color: bool) -> None:
    """Print a table of them. It takes a second, to see which ones carry traffic."""
    from eiosniff.capture.live.devices import devices, traffic

    before, began = devices(), time.monotonic()
    time.sleep(_LOOK_S)
    after = devices()
    rates = traffic(before, after, time.monotonic() - began)
    with Output(None, no_color=no_color) as place:
        place.write(_table(after, rates, place))


def _table(found: "list[Device]", rates: "dict[str, Rate]", place: Output) -> str:
    from rich.table import Table
    from rich.text import Text

    from eiosniff.report.figures import size
    from eiosniff.report.sanitise import printable

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("interface", "what it is", "addresses"):
        table.add_column(heading, overflow="fold")
    table.add_column("now", justify="right", no_wrap=True)
    for device in found:
        rate = rates.get(device.name)
        now = "down" if not device.up else "?" if rate is None else "-"
        if rate is not None and rate.packets_per_s > 0:
            now = f"{rate.packets_per_s:,.0f} packets/s, {size(round(rate.bytes_per_s))}/s"
        kind = device.description or ("loopback" if device.loopback else "")
        cells = (device.name, kind, "\n".join(device.addresses), now)
        table.add_row(*(Text(printable(cell, 200) if cell is not cells[2] else cell) for cell in cells))
    busiest = max(rates, key=lambda name: rates[name].packets_per_s, default="")
    console = place.console()
    console.print(table)
    console.print()
    if busiest and rates[busiest].packets_per_s > 0:
        console.print(f"Most goes over {busiest} now: eiosniff live {busiest}")
    if not found:
        console.print("There is no interface.")
    elif sys.platform == "linux":  # elsewhere there is no such interface
        console.print("All at once: eiosniff live any")
    return text_of(console)
