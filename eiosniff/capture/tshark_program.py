"""Whether there is a tshark that will do. How it is used is in `tshark`."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from eiosniff.capture.live.surroundings import find_program
from eiosniff.errors import EiosniffError

# The first branch of Wireshark that was made after QUIC version 1 was published (May 2021, RFC 9000): 3.6.0 came in
# November 2021. Drafts of it, and TLS, older ones read too.
OLDEST = (3, 6)
INSTALL = "install Wireshark's tshark (Debian, Ubuntu: apt install tshark), or see `eiosniff doctor`"
PATIENCE_S = 30.0

_VERSION = re.compile(r"TShark[^\n]*?(\d+)\.(\d+)(?:\.(\d+))?")
_MOST_WORDS = 200


class TsharkError(EiosniffError):
    """tshark, or pyshark, cannot be used, or failed."""


class Tshark(NamedTuple):
    """A tshark that can be used. `version` is as it says, such as 4.0.17."""

    path: str
    version: str


def find() -> Tshark:
    """The tshark of this system. Raises `TsharkError` if there is none, or none that will do."""
    program = find_program("tshark")
    if program is None:
        raise TsharkError("tshark is not installed", INSTALL)
    if not program.runs:
        raise TsharkError(f"you may not start {program.path}", "change its permissions, or run as another user")
    with _profile() as environment:
        try:
            done = subprocess.run(
                [program.path, "--version"], env=environment, capture_output=True, check=False, timeout=PATIENCE_S
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise TsharkError(f"{program.path} does not start: {shortened(str(error))}", INSTALL) from None
    return check(program.path, done.returncode, (done.stdout + done.stderr).decode(errors="replace"))


def check(path: str, code: int, output: str) -> Tshark:
    """Whether a tshark will do, by what `tshark --version` said. Raises `TsharkError`."""
    match = _VERSION.search(output)
    if code or match is None:
        said = output.strip().splitlines()
        reason = shortened(said[-1]) if said else f"it ended with code {code}"
        raise TsharkError(f"{path} does not start: {reason}", INSTALL)
    major, minor, patch = match.groups()
    if (int(major), int(minor)) < OLDEST:
        raise TsharkError(
            f"{path} is too old: it is {major}.{minor}, and needs to be {OLDEST[0]}.{OLDEST[1]} or newer", INSTALL
        )
    return Tshark(path, ".".join(filter(None, (major, minor, patch))))


@contextmanager
def _profile() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="eiosniff-") as folder:
        yield clean_environment(Path(folder))


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment of this process, but with no configuration or plugin of the user's for tshark."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WIRESHARK_", "XDG_"))}
    home = str(folder)
    return {**kept, "WIRESHARK_CONFIG_DIR": home, "HOME": home, "APPDATA": home, "LC_ALL": "C"}


def shortened(text: str) -> str:
    """A text of others, as much of it as a line bears."""
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}..."
