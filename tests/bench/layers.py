"""Where the time of an analysis goes, by layer: `python -m tests.bench profile busy`.

A timer interrupts the analysis every few milliseconds of processor time and looks which function of eiosniff is at
work. Unlike a tracing profiler this does not make small functions look dearer than they are, and it knows no function
by name. What eiosniff calls in numpy, zlib, json and the like counts as its own; so does what the model does for a
decoder. Collecting garbage is a layer of its own.
"""

import argparse
import gc
import signal
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TypeVar

import eiosniff

T = TypeVar("T")

PACKAGE = str(Path(eiosniff.__file__).parent) + "/"
INTERVAL = 0.002  # seconds
SHOWN = 40
START, GARBAGE = "starting Python and imports", "collecting garbage"
# By the beginning of the path within the package; the first that fits.
LAYERS = (
    ("capture/", "reading"),
    ("decode/packets/", "packet columns"),
    ("decode/tcp/sniff", "joining layers"),
    ("decode/tcp/", "TCP"),
    ("decode/stack", "joining layers"),
    ("decode/conversation", "joining layers"),
    ("decode/http1/", "HTTP"),
    ("decode/buffer", "HTTP and WebSocket buffers"),
    ("decode/websocket/", "WebSocket"),
    ("decode/engineio/", "Engine.IO and Socket.IO"),
    ("decode/socketio/", "Engine.IO and Socket.IO"),
    ("decode/", "sessions and ledgers"),
    ("knowledge/", "rules and knowledge"),
    ("rules/", "rules and knowledge"),
    ("report/", "report"),
    ("", "the rest"),
)


class Sampler:
    """Charges processor time to the innermost function of eiosniff that is not of the model."""

    def __init__(self) -> None:
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)  # by file of the package, and function
        self._last = time.process_time()
        self._garbage = 0.0  # since the last sample
        self._collecting = 0.0

    def __enter__(self) -> "Sampler":
        gc.callbacks.append(self._collect)
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
        self._last = time.process_time()
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        gc.callbacks.remove(self._collect)

    def _collect(self, phase: str, info: dict[str, int]) -> None:
        now = time.process_time()
        if phase == "stop":
            self._garbage += now - self._collecting
        self._collecting = now

    def _sample(self, signum: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is Sampler._collect.__code__:
            return  # the garbage is not counted yet
        now = time.process_time()  # a call into C is not interrupted: its samples come as one, with more time
        key = ("", START)
        while frame is not None:
            code = frame.f_code
            if code.co_filename.startswith(PACKAGE):
                file = code.co_filename[len(PACKAGE) :]
                key = (file, code.co_qualname)
                if not file.startswith("model/"):
                    break
            frame = frame.f_back
        self.seconds["", GARBAGE] += self._garbage
        self.seconds[key] += now - self._last - self._garbage
        self._last, self._garbage = now, 0.0

    def layers(self) -> dict[str, float]:
        """The seconds of each layer."""
        layers: defaultdict[str, float] = defaultdict(float)
        for (file, function), seconds in self.seconds.items():
            name = next(layer for start, layer in LAYERS if file.startswith(start))
            layers[function if function in (START, GARBAGE) else name] += seconds
        return layers


def main() -> None:
    """Analyse one capture, and print the layers and the dearest functions."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.layers")
    parser.add_argument("capture")
    chosen = parser.parse_args()
    with Sampler() as sampler:
        from eiosniff import app  # noqa: PLC0415  # its imports are part of the time
        from eiosniff.report import as_json  # noqa: PLC0415
        from eiosniff.report.redact import Redactor  # noqa: PLC0415

        as_json.render(app.analyze([chosen.capture], app.Options()), Redactor(enabled=True))
    total = sum(sampler.seconds.values())
    print(f"{Path(chosen.capture).name}: {total:.2f} s of processor time")
    for layer, seconds in _dearest(sampler.layers()):
        print(f"  {seconds:7.2f} s {seconds / total:6.1%}  {layer}")
    print()
    for (file, function), seconds in _dearest(sampler.seconds)[:SHOWN]:
        print(f"  {seconds:7.2f} s {seconds / total:6.1%}  {file}:{function}")


def _dearest(seconds: Mapping[T, float]) -> list[tuple[T, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


if __name__ == "__main__":
    main()
