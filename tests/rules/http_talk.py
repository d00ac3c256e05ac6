"""Conversations of pages and proxies, for the tests of rules on what HTTP answers show."""

from eiosniff.model.finding import Finding
from eiosniff.model.provenance import Endpoint
from tests.unit.decode.talk_sessions import Talk

ASK = "a> GET EIO=4&transport=polling\n"
OPENED = "a< 200 open:S\n"
POLL = "a> GET EIO=4&transport=polling&sid=S\n"
POST = "b> POST EIO=4&transport=polling&sid=S 40\n"
WEBSOCKET = "w> WS EIO=4&transport=websocket\n"
LATER = "+ 5\nz> GET -\nz< 404 -\n"  # somebody else, so that the capture goes on
PAGE = "http://shop.example"
FROM_PAGE = f"Origin: {PAGE}\r\n"
COOKIE = "Cookie: login=s3cret\r\n"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64)"
BEHIND = Endpoint("10.0.0.3", 3001)
NGINX = "Server: nginx/1.22.1\r\n"


def allows(origin: str, *, credentials: bool = False) -> str:
    lines = f"Access-Control-Allow-Origin: {origin}\r\n"
    return lines + ("Access-Control-Allow-Credentials: true\r\n" if credentials else "")


def talk(
    *parts: str, headers: str = "", replies: str = "", agent: str = BROWSER, wires: str = "abw", late: bool = False
) -> Talk:
    """The capture of these parts; all its connections have these headers, and their answers these replies."""
    played = Talk(late=late)
    for wire in wires:
        played.connect(wire, agent=agent, headers=headers, replies=replies)
    return played.play("\n".join(parts)).close()


def only(played: Talk) -> Finding:
    (diagnosis,) = played.diagnoses()
    return diagnosis.finding
