# SPDX-License-Identifier: GPL-2.0-or-later
"""What recordings in the laboratory need besides: certificates, a browser, what programs log."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab import Lab, Side

_CHROMIUM = (
    "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update",
)  # fmt: skip


def certify(folder: Path, name: str, *more: str, days: int = 30) -> tuple[str, str]:
    """Make a certificate for a host name (and `more`, such as `IP:10.77.0.2`) that nobody signed but its own key, of
    P-256; returns the paths of both, which are in the folder."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ",".join((f"DNS:{name}", *more))
    argv += ["-days", str(days), "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"]
    subprocess.run([*argv, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def chromium(profile: Path, name: str, address: str) -> list[str]:
    """The command line of a Chromium without a screen, which finds a host at an address; flags and the page follow.
    What the browser asks its maker finds no network."""
    return [*_CHROMIUM, f"--user-data-dir={profile}", f"--host-resolver-rules=MAP {name} {address}"]


def logged(output: str) -> list[str]:
    """What a program of ours logs: the lines that begin with LOG."""
    return [line.removeprefix("LOG ").strip() for line in output.splitlines() if line.startswith("LOG ")]


def wait_for_port(lab: Lab, side: Side, port: int) -> None:
    """Until something listens (asked from its own host, so that it is not in the recording)."""
    probe = f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done"
    lab.run(side, ["timeout", "10", "bash", "-c", probe])
