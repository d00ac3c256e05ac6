"""A POST of Engine.IO 4 that says it holds bytes.

## What it reports
A client of Engine.IO 4 whose POST has `Content-Type: application/octet-stream`, and whose server refuses it, or never
answers it.

## Why it matters
In Engine.IO 4 polling bodies are text; servers of Node look at the type first. They end the session at once: with 400
and an empty body from engine.io 6.6.7 on, before that without any answer at all, so that the client hangs until its
own time-out. The next request gets 400, code 1.

## On the wire
`POST ...EIO=4&transport=polling&sid=...`, `Content-Type: application/octet-stream`, then 400 without a body, or
nothing within `answer_ms` (1 s). It is what clients of Engine.IO 3 said (XHR2), and what several HTTP libraries say of
bytes by themselves (aiohttp).

## How to fix
Send `Content-Type: text/plain;charset=UTF-8`, and binary data as `b` and base64. aiohttp: pass a `str`, or
`headers={"Content-Type": "text/plain"}`.

## When it is silent
For servers that take it (python-engineio does not look at the type), and for Engine.IO 3, where it is right. When
somebody ends the connection before the answer. An answer that is only missing, while nothing shows that the session is
over, makes it possible, and not certain.

## References
- Engine.IO protocol, revision 4, "From v3 to v4"; engine.io, `lib/transports/polling`
- recorded at socket.io 4.7 and 4.8
"""

from collections.abc import Iterator, Mapping

from eiosniff.model.attempt import CutRequest
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.payloads import BinaryPost
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.phrases import CLOSED_BECAUSE_NS, NS_PER_MS
from eiosniff.rules.reactions import forgotten
from eiosniff.rules.unknown_sids import answer_words

_REFUSED = 400
_OK = 200


@rule(
    code="EIO071",
    name="octet-stream-post-eio4",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="The client posts application/octet-stream, which Engine.IO 4 does not take",
    message="{client} posts to {server} with Content-Type: application/octet-stream. The server {reaction}.",
    why="Bodies of Engine.IO 4 are text. A server on Node ends the session when a POST says that it holds bytes.",
    fix=(
        "Client: send Content-Type: text/plain;charset=UTF-8 with each POST (Python's aiohttp: give it a str, not "
        "bytes); binary data goes as b and base64.",
    ),
    explains=(
        "sid-reused",
        "sid-unknown-sticky",
        "sid-expired",
        "no-connect-packet",
        "connect-loop",
        "no-backoff",
        "ack-missing",
    ),
    limits={"answer_ms": 1000},
)
def octet_stream_post_eio4(session: Session, limits: Mapping[str, float]) -> Iterator[Hit]:
    """See the module."""
    posts = session.payloads.binary_posts
    if posts is None or session.claimed_eio != "4":
        return
    patience_ns = limits["answer_ms"] * NS_PER_MS
    if any(post.status == _OK for post in posts):
        return  # this server takes it
    refused = [post for post in posts if _is_refused(session, post) or _hangs(session, post, patience_ns)]
    if not refused:
        return
    proof = []
    for post in refused:
        proof.append(evidence(post.place, Side.CLIENT, "POST with application/octet-stream"))
        if post.answer is not None:
            proof.append(evidence(post.answer, Side.SERVER, f"{post.status}"))
    answered = refused[0].answer is not None
    after = forgotten(session, refused[-1].place) if not answered else None
    if after is not None:
        proof.append(evidence(after.request, Side.CLIENT, "the next request of the session"))
        proof.append(evidence(after.answer, Side.SERVER, answer_words(after)))
    ended = after is not None or _is_closed(session, refused[-1])
    yield Hit(
        *proof,
        certainty=Certainty.CERTAIN if answered or ended else Certainty.POSSIBLE,
        doubt="" if answered or ended else "the server may only be slow",
        occurrences=len(refused),
        lasting=not answered and not ended,
        reaction=f"answers {_REFUSED} without a word"
        if answered
        else f"never answers{', and has ended the session' if ended else ''}",
    )


def _is_refused(session: Session, post: BinaryPost) -> bool:
    return post.status == _REFUSED and any(
        refusal.request == post.place and refusal.error is None and refusal.overlaps is None
        for refusal in session.refusals
    )


def _is_closed(session: Session, post: BinaryPost) -> bool:
    """Whether the server closes the session right after the POST."""
    closing = session.closing
    return (
        closing is not None
        and closing.side is Side.SERVER
        and 0 <= closing.place.ts_ns - post.place.ts_ns <= CLOSED_BECAUSE_NS
    )


def _hangs(session: Session, post: BinaryPost, patience_ns: float) -> bool:
    if post.answer is not None or any(cut.request == post.place and _is_early(cut, post) for cut in session.polls_cut):
        return False
    return session.observed_until_ns - post.place.ts_ns >= patience_ns or _is_closed(session, post)


def _is_early(cut: CutRequest, post: BinaryPost) -> bool:
    """Whether a connection was ended for another reason: by the server, or by a client that did not wait."""
    return cut.by is Side.SERVER or cut.end.ts_ns - post.place.ts_ns < CLOSED_BECAUSE_NS
