# SPDX-License-Identifier: GPL-2.0-or-later
"""Record TLS as OpenSSL speaks it, with its keys: what decryption must know besides the sessions of `record_tls.py`.

    record_decrypted.py list
    record_decrypted.py one NAME...     records these, and updates their entries in decrypted.toml
    record_decrypted.py all

`decrypted/NAME.pcapng` has its keys in it (decryption secrets). What both sides said is in the index.

Needs what `lab.py` needs, editcap and openssl.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import command_line
from faulty_peers import index
from lab import Lab
from lab_kit import certify

HERE = Path(__file__).resolve().parent
FOLDER = "decrypted"
PORT = 4433
OPENSSL = "3.0"

_HEAD = """\
# Made by record_decrypted.py; change it there.
#
# what          what happens on the wire
# client_says   what the client sends as application data, in order; server_says is the same of the server
"""

_CLIENT = ("client one", "client two", "client three")
_SERVER = ("server one", "server two", "server three")
# Commands of s_client and s_server: a new key for the side itself (k), for both (K), another handshake (R).
_UPDATES = ("client one", "k", "client two", "K", "client three")
_UPDATED = ("server one", "K", "server two", "k", "server three")
_COMMANDS = {"k", "K", "R"}


@dataclass(frozen=True)
class Run:
    """One scenario: options of both programs, and the lines that they are given, some of which are commands."""

    name: str
    what: str
    both: str = ""
    server: str = ""
    client: str = ""
    said: tuple[tuple[str, ...], tuple[str, ...]] = (_CLIENT, _SERVER)
    resumes: str = ""  # options of a second client, which resumes what the first one began
    keys_of_second: bool = True

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.name}.pcapng"


RUNS = (
    Run("tls13-aes128-gcm", "TLS 1.3.", "-tls1_3", client="-ciphersuites TLS_AES_128_GCM_SHA256"),
    Run("tls13-aes256-gcm", "TLS 1.3.", "-tls1_3", client="-ciphersuites TLS_AES_256_GCM_SHA384"),
    Run("tls13-chacha", "TLS 1.3.", "-tls1_3", client="-ciphersuites TLS_CHACHA20_POLY1305_SHA256"),
    Run("tls13-ccm", "TLS 1.3.", "-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256"),
    Run("tls13-ccm8", "TLS 1.3.", "-tls1_3 -ciphersuites TLS_AES_128_CCM_8_SHA256"),
    Run("tls13-key-update", "TLS 1.3; both sides change their keys, and ask the other one to.", "-tls1_3",
        said=(_UPDATES, _UPDATED)),
    Run("tls13-hello-retry", "TLS 1.3; the server asks for another ClientHello.", "-tls1_3", "-groups P-384",
        "-groups X25519:P-384"),
    Run("tls13-early-data", "TLS 1.3; the second connection resumes the first, and sends data at once.", "-tls1_3",
        "-early_data", resumes="-early_data {early}"),
    Run("tls13-padded", "TLS 1.3; records are padded to 512 bytes.", "-tls1_3 -record_padding 512"),
    Run("tls12-gcm", "TLS 1.2.", "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256"),
    Run("tls12-gcm-256", "TLS 1.2.", "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384"),
    Run("tls12-chacha", "TLS 1.2.", "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305"),
    Run("tls12-ccm", "TLS 1.2.", "-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM"),
    Run("tls12-ccm8", "TLS 1.2.", "-tls1_2 -cipher ECDHE-ECDSA-AES256-CCM8"),
    Run("tls12-renegotiated", "TLS 1.2; the client shakes hands again in between.", "-tls1_2 -legacy_renegotiation",
        "-client_renegotiation", said=(("client one", "R", "client two", "client three"), _SERVER)),
    Run("tls12-ticket", "TLS 1.2; the second connection resumes the first by a ticket. Keys of the first alone.",
        "-tls1_2", resumes=" ", keys_of_second=False),
    Run("tls12-session-id", "TLS 1.2; the second connection resumes the first by its id. Keys of the first alone.",
        "-tls1_2 -no_ticket", resumes=" ", keys_of_second=False),
)  # fmt: skip


def record(run: Run) -> index.Entry:
    """Make the recording."""
    with tempfile.TemporaryDirectory(prefix="eiosniff-decrypted-") as name, Lab() as lab:
        folder = Path(name)
        cert = _certify(folder)
        (folder / "early").write_text("at once\n")
        server = f"openssl s_server -accept {PORT} -cert {cert} -key {cert} {run.both} {run.server}"
        client = f"openssl s_client -connect {Lab.server_ip}:{PORT} -servername chat.example {run.both} {run.client}"
        began, captured = folder / "keys.log", folder / "tls.pcap"
        with lab.capture(captured, filter=f"tcp port {PORT}"):
            lab.start("server", ["bash", "-c", f"({_lines(run.said[1], 1.5)}; sleep 9) | {server}"], ready="ACCEPT")
            session = f"-sess_out {folder}/session" if run.resumes else ""
            argv = f"({_lines(run.said[0], 1.7)}; sleep 1) | {client} -keylogfile {began} {session}"
            lab.run("client", ["bash", "-c", argv], timeout=30)
            if run.resumes:
                again = began if run.keys_of_second else folder / "others.log"
                options = f"-sess_in {folder}/session -keylogfile {again} {run.resumes.format(early=folder / 'early')}"
                lab.run("client", ["bash", "-c", f"({_lines(run.said[0], 0.3)}; sleep 1) | {client} {options}"])
        with_keys = folder / "tls.pcapng"
        subprocess.run(["editcap", "--inject-secrets", f"tls,{began}", str(captured), str(with_keys)], check=True)
        (HERE / FOLDER).mkdir(exist_ok=True)
        shutil.copy(with_keys, HERE / run.file)
    said = [[line for line in lines if line not in _COMMANDS] for lines in run.said]
    early = ["at once"] if "early" in run.resumes else []
    return {
        "file": run.file,
        "server": {"library": "openssl s_server", "version": OPENSSL},
        "client": {"library": "openssl s_client", "version": OPENSSL},
        "what": run.what,
        "client_says": said[0] + (early + said[0] if run.resumes else []),
        "server_says": said[1],
    }


def _lines(lines: Sequence[str], after: float) -> str:
    return f"sleep {after}; " + "; sleep 0.4; ".join(f"echo {shlex.quote(line)}" for line in lines)


def _certify(folder: Path) -> Path:
    pem = folder / "pem"
    pem.write_text("".join(Path(each).read_text() for each in certify(folder, "chat.example")))
    return pem


if __name__ == "__main__":
    description = (__doc__ or "").splitlines()[0]
    sys.exit(command_line.run_scenarios(description, RUNS, record, HERE / "decrypted.toml", _HEAD))
