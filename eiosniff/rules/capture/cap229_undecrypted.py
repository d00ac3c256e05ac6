"""There are keys, but not all TLS connections that may be Socket.IO could be decrypted.

## What it reports
How many TLS connections were not decrypted although a key log (or the capture itself) has secrets, to which servers,
and why: it has none of them, those of one direction only, others than theirs; the connection was captured from its
middle, or one direction of it; its cipher is one that only tshark decrypts, and what was the matter with that.

## Why it matters
What is in these connections is not in the report: there may be a fault, or none.

## On the wire
A key log (`SSLKEYLOGFILE`) has lines `LABEL RANDOM SECRET`. The random is that of the ClientHello, so without the
ClientHello no line can be found; without the ServerHello the cipher is not known. TLS 1.3 has a secret for each
direction, older versions one for both (`CLIENT_RANDOM`). Each record is sealed: with a wrong secret none can be opened.

## How to fix
Start writing the key log before the connection is opened, in the program that opens it, and the capture before that. A
key log is of one run of one program; browsers write theirs only if they were not running before. Add those of others
with a further `--keylog`.

## When it is silent
Without keys (CAP227 speaks then). For connections that are not Socket.IO by the server they go to, where any Engine.IO
can be read: others encrypt too (it is an information then). For those that failed in the handshake, or over which
nothing was said: there is nothing to decrypt.

## References
- draft-ietf-tls-keylogfile; RFC 8446, sections 5.2 and 7; RFC 5246, section 6.3
"""

from collections.abc import Iterator
from typing import NamedTuple

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.summary import CaptureSummary, LeftUnread
from eiosniff.model.unread import Encrypted, Undecrypted
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.encrypted import is_meant, listed, shown
from eiosniff.rules.phrases import capital

_SHOWN = 5


class _Words(NamedTuple):
    """What is said of a reason: `title`, `why` and what to do `first`. `keys`: other keys may help."""

    title: str
    why: str
    first: str
    keys: bool = False


_WORDS = {
    Undecrypted.NO_KEYS: _Words(
        "The keys are not those of the TLS connections to {where}",
        "A key log has a line for each connection, with the random of its ClientHello; there is none for these.",
        "Write the key log with the program that opens these connections, from before that: no other helps.",
        keys=True,
    ),
    Undecrypted.HALF: _Words(
        "The keys of TLS connections to {where} are of one direction only",
        "TLS 1.3 has a secret for each direction (CLIENT_TRAFFIC_SECRET_0 and SERVER_TRAFFIC_SECRET_0), and the other "
        "one is missing: what one side says alone would be misleading.",
        "Use the whole key log, with all of its lines: it may have been cut, or filtered.",
        keys=True,
    ),
    Undecrypted.WRONG_KEYS: _Words(
        "The keys for TLS connections to {where} are wrong",
        "The key log has secrets with the random of these connections, but not one record could be opened with them.",
        "Use the key log as the program wrote it: this one was changed, or the capture was.",
    ),
    Undecrypted.NO_HELLO: _Words(
        "The TLS connections to {where} were captured from their middle, and cannot be decrypted",
        "Secrets are found by the random of the ClientHello, which is not in the capture.",
        "Start the capture before the client connects, or let it connect again meanwhile.",
    ),
    Undecrypted.ONE_SIDED: _Words(
        "Only one direction of the TLS connections to {where} was captured: they cannot be decrypted",
        "Both hellos are needed: the client's tells which secrets are its own, the server's which cipher they are for.",
        "Capture where both directions pass: on the client's host or the server's, or at a port that mirrors both.",
    ),
    Undecrypted.CIPHER: _Words(
        "The TLS connections to {where} use a cipher that eiosniff does not decrypt itself",
        "eiosniff decrypts AES-GCM, AES-CCM and ChaCha20-Poly1305 itself. Others need tshark, or are not known to it.",
        "Have tshark (3.6 or later), and analyze a file (live --write makes one); or let the server offer TLS 1.3.",
    ),
    Undecrypted.LOST: _Words(
        "The TLS connections to {where} lack too much to be decrypted",
        "After so many missing bytes nothing tells which record comes next.",
        "Capture without losing packets: with whole packets (-s 0), on a machine that keeps up.",
    ),
}
# The same where it is known why tshark did not help.
_BY_TSHARK = "The TLS connections to {where} can only be decrypted by tshark"
_KEY_LOGS = (
    "Key logs are written by node --tls-keylog=FILE, by Chrome, Firefox and curl with SSLKEYLOGFILE=FILE in their "
    "environment, by Python with SSLContext.keylog_filename; give each with --keylog FILE."
)
# Whatever else is known, there are keys for these.
_OWN = (Undecrypted.HALF, Undecrypted.WRONG_KEYS, Undecrypted.CIPHER, Undecrypted.LOST)


@rule(
    code="CAP229",
    name="undecrypted",
    subject=CaptureSummary,
    severity=Severity.WARNING,
    since="0.1.0",
    title="{title}",
    message="{count} of {all} TLS connection(s) that may be Socket.IO could not be decrypted, to {names}: {reason}.",
    why="{because}",
    fix=("{first_step}", "{key_logs}"),
    tolerates_gaps=True,
)
def undecrypted(summary: CaptureSummary) -> Iterator[Hit]:
    """See the module."""
    meant = [entry for entry in summary.encrypted if is_meant(summary, entry)]
    for why in _WORDS:
        words = _words(why, summary.left_unread)
        entries = [entry for entry in (summary.encrypted if why in _OWN else meant) if why in entry.undecrypted]
        if not entries:
            continue
        entries.sort(key=lambda entry: -entry.undecrypted[why].count)
        names = [(shown(entry), entry.undecrypted[why].count) for entry in entries]
        others = len(dict(names)) - 1
        where = f"{names[0][0]} and {others} more" if others else names[0][0]
        count = sum(number for _, number in names)
        yield Hit(
            *(
                evidence(place, Side.CLIENT if entry.greeted else None, "TLS that could not be decrypted")
                for entry in entries[:_SHOWN]
                for place in entry.undecrypted[why].first[:1]
            ),
            severity=Severity.INFO if summary.engineio_connections else Severity.WARNING,
            occurrences=count,
            kind=why.name,
            count=count,
            all=sum(entry.connections for entry in {*meant, *entries}),
            names=listed(names),
            title=words.title.format(where=where),
            reason=why.value + _ciphers(why, entries),
            because=words.why,
            first_step=words.first,
            key_logs=_KEY_LOGS if words.keys else "",
        )


def _words(why: Undecrypted, left: LeftUnread | None) -> _Words:
    words = _WORDS[why]
    if why is not Undecrypted.CIPHER or left is None or not left.tls:
        return words
    return _Words(f"{_BY_TSHARK}, and {left.why}", words.why, f"{capital(left.remedy)}.")


def _ciphers(why: Undecrypted, entries: list[Encrypted]) -> str:
    if why is not Undecrypted.CIPHER:
        return ""
    ciphers = [(name, count) for entry in entries for name, count in entry.ciphers.items()]
    return f", {listed(ciphers)}" if ciphers else ""
