"""A polling body of Engine.IO 3 whose lengths are wrong.

## What it reports
A body of revision 1 to 3 (`<length>:<packet>...`) in which a length does not fit the packet behind it, and how its
sender counts, if that can be told.

## Why it matters
Its reader takes the end of one packet for the beginning of the next one, finds nothing it knows, and drops the whole
body: servers of Node answer 200 `ok` and end the session, clients say "server error". It only happens with text that
is not plain English, so that it passes all tests.

## On the wire
The length counts UTF-16 code units, JavaScript's `length`: `16:42["hello","(emoji)"]` where counting characters gives
15 and counting bytes gives 18. ASCII is the same in all three. The next poll gets `1:1`, the next request 400, code 1.

## How to fix
Count UTF-16 code units: in Python `len(text.encode("utf-16-le")) // 2`, in Go `len(utf16.Encode([]rune(text)))`, in
C++ and Rust one for each character and one more for each above U+FFFF; Java, C#, Dart and Swift's NSString count so by
themselves. Or let JSON be ASCII (Python's `json.dumps` does so by default), or speak revision 4, which has no lengths.

## When it is silent
For bodies whose lengths fit, in any language. For bodies with a length at a server of revision 4: rule EIO072. Where
the reader goes on as if nothing had been wrong (socketioxide and python-engineio count characters) it is an info.

## References
- Engine.IO protocol, revision 3, "Payload"
- engine.io issue #315; recorded with a client by hand at socket.io 2.5
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import SIDES
from eiosniff.model.session import Session
from eiosniff.model.trouble import AnomalyKind
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import quoted
from eiosniff.rules.reactions import reaction_to

# How the decoder says that another way to count makes all lengths fit.
_COUNTS = "lengths count "


@rule(
    code="EIO069",
    name="v3-length-mismatch",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The {side} writes wrong lengths in front of its packets: {trouble}",
    message="The {side} ({client} at {server}) sends {said}: {trouble}. With that, {reaction}.",
    why="In Engine.IO 3 each packet of a polling body has its length in front, counted as JavaScript does, in UTF-16 "
    "code units. Where a text is not ASCII, bytes or characters are other numbers, and the reader loses its place.",
    fix=(
        'Count UTF-16 code units (Python: len(text.encode("utf-16-le")) // 2), or write JSON in ASCII, with escapes.',
        "Or move both sides to Socket.IO 3 or later: Engine.IO 4 has no lengths.",
    ),
    explains=(
        "sid-reused",
        "no-connect-packet",
        "sid-unknown-sticky",
        "sid-expired",
        "connect-loop",
        "no-backoff",
        "socketio-syntax",
        "ack-missing",
    ),
    hence="The {side} writes wrong lengths in front of its packets",
)
def v3_length_mismatch(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.anomalies or session.gaps:
        return
    for side in SIDES:
        wrong = [one for one in session.anomalies if one.kind is AnomalyKind.EIO_BAD_LENGTH and one.side is side]
        if not wrong:
            continue
        result = reaction_to(session, side, [wrong[-1].place])
        said = wrong[0].found.encode("latin-1", "replace")
        trouble = wrong[0].expected
        if trouble.startswith(_COUNTS):
            trouble = f"it counts {trouble.removeprefix(_COUNTS)}"
        yield Hit(
            *(evidence(one.place, side, quoted(one.found.encode("latin-1", "replace"))) for one in wrong),
            *result.proof,
            severity=None if result.closed else Severity.INFO,
            occurrences=len(wrong),
            kind=side.label,
            side=side.label,
            said=quoted(said),
            trouble=trouble,
            reaction=result.words,
        )
