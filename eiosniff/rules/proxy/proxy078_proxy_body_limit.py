"""A proxy refuses a POST for its size.

## What it reports
A POST of polling that is answered 413 by something in front of the server, by its page.

## Why it matters
Proxies have limits of their own for the bodies of requests, and the server never hears of what is above them: raising
its `maxHttpBufferSize` changes nothing. The client gives the session up ("xhr post error"), connects again, and mostly
sends the same once more. It is often half seen only, as over WebSocket there are no bodies, and so no limit.

## On the wire
A POST whose `Content-Length` is above the limit, and 413 with an HTML page: 1 MB at nginx (`client_max_body_size`),
30 MB at IIS, 100 MB at Cloudflare. A 413 of an Engine.IO server has an empty body.

## How to fix
nginx: `client_max_body_size 10m;` in the location of `/socket.io/`. Kubernetes with ingress-nginx: the annotation
`nginx.ingress.kubernetes.io/proxy-body-size: 10m`. Squid: `request_body_max_size`. Apache httpd: `LimitRequestBody`.
IIS: `maxAllowedContentLength`. Then see to the limit of the server itself. Or upload files by plain HTTP.

## When it is silent
For a 413 with an empty body: that is the server's own, also behind a proxy (rule EIO077).

## References
- nginx, `client_max_body_size`; Squid, `request_body_max_size`; Cloudflare documentation, "Request limits"
- recorded with nginx 1.22 and Squid 5.7
"""

from collections.abc import Iterator

from eiosniff.model.finding import Severity
from eiosniff.model.provenance import Side
from eiosniff.model.session import Session
from eiosniff.rules.answers import heading
from eiosniff.rules.api import Hit, evidence, rule
from eiosniff.rules.boxes import box_of
from eiosniff.rules.phrases import quoted
from eiosniff.rules.sizes import TOO_LARGE, is_from_proxy, is_of, size_words


@rule(
    code="PROXY078",
    name="proxy-body-limit",
    subject=Session,
    severity=Severity.ERROR,
    since="0.1.0",
    title="A POST of {size} is too large for {box}, in front of the server",
    message="{client} posts {size} to {server}. It is answered {answer} by {box}; the server does not hear of it.",
    why="A proxy takes bodies up to a limit of its own, whatever the server behind it takes. Over polling each message "
    "is such a body.",
    fix=(
        "Raise the limit of {box} for /socket.io/ (nginx: client_max_body_size 10m;), then that of the server "
        "(maxHttpBufferSize, 1 MB by default).",
        "Or upload files by plain HTTP beside Socket.IO; over WebSocket a proxy has no such limit.",
    ),
    explains=("payload-too-large", "sid-unknown-sticky", "sid-expired", "connect-loop", "no-backoff", "ack-missing"),
)
def proxy_body_limit(session: Session) -> Iterator[Hit]:
    """See the module."""
    if not session.refusals:
        return
    refused = [
        refusal
        for refusal in session.refusals
        if refusal.status == TOO_LARGE and refusal.asked.method == "POST" and is_from_proxy(refusal)
    ]
    if not refused:
        return
    first, post = refused[0], session.payloads.post
    size = size_words(post) if post is not None and is_of(post, first.request) else "more than it takes"
    page = heading(first.answered.body)
    proof = []
    for refusal in refused:
        proof.append(evidence(refusal.request, Side.CLIENT, f"a POST of {size}" if refusal is first else "a POST"))
        proof.append(evidence(refusal.answer, Side.SERVER, f"{refusal.status}"))
    yield Hit(
        *proof,
        occurrences=len(refused),
        size=size,
        box=box_of(first.answered),
        answer=f"413, the page {quoted(page)}," if page else "413 with a body",
    )
