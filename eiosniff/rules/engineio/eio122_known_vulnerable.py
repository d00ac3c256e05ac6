"""The server is of a version with known vulnerabilities.

## What it reports
A server that, by what it shows of itself, can only be of versions for which an advisory was published, and which.

## Why it matters
Most of these let anybody end the process with one packet, others take its memory or its connections. An attack looks
like a crash that nobody can explain.

## On the wire
Nothing says the version. Bounds of it follow from what a server does: the keys of its open packet, its default times,
its headers, how it refuses (`eiosniff analyze` names the server with them, as "socket.io 2.1 to 2.4"). An advisory is
named only if every version within the bounds is affected, with all releases of its parts that it may have been
installed with.

## How to fix
Update the server: the report names the fixed versions of each advisory. `npm audit` or `pip-audit` in the project of
the server tells for sure.

## When it is silent
Where a version with the fix is possible, and for libraries on which nothing is known here. It is an information: that
a version is old is no fault in this capture, and no attack is seen. And it is never more than possible, as a
distributor may have mended an old version, and a proxy may keep the attack away.

## References
- GitHub advisory database, https://github.com/advisories, by the identifiers in the report
- socket.io documentation, "Security"; npm audit
"""

from collections.abc import Iterator

from eiosniff.knowledge.advisories import advisories_for
from eiosniff.model.finding import Certainty, Severity
from eiosniff.model.peers import Server
from eiosniff.model.provenance import Side
from eiosniff.rules.api import Hit, evidence, rule

_NAMED = 3  # of many advisories, those that were published last


@rule(
    code="EIO122",
    name="known-vulnerable",
    subject=Server,
    severity=Severity.INFO,
    since="0.1.0",
    title="The server may have known vulnerabilities: {version}, {count}",
    message="By what it does, {server} is of a version to which this applies: {advisories}.",
    why="These are published, so that anybody may try them. Most of them let anybody end the server, or "
    "take its memory, with a few packets.",
    fix=("Update the server, and ask npm audit or pip-audit there, which know its exact versions.",),
    remark=True,
    tolerates_gaps=True,
    hence="it may have known vulnerabilities ({version})",
)
def known_vulnerable(server: Server) -> Iterator[Hit]:
    """See the module."""
    identity = server.identity
    if identity is None or not identity.version:
        return
    found = advisories_for(identity)
    if not found or not server.revisions:
        return
    more = f"; and {len(found) - _NAMED} older ones" if len(found) > _NAMED else ""
    named = [f"{one.id} ({one.line}; fixed in {one.package} {one.fixed})" for one in found[:_NAMED]]
    opened = min(server.revisions.values(), key=lambda place: place.number)
    yield Hit(
        evidence(opened, Side.SERVER, f"opens a session as {identity} does"),
        certainty=Certainty.POSSIBLE,
        doubt="the version is told by what the server does, and not by itself",
        version=str(identity),
        count="1 advisory" if len(found) == 1 else f"{len(found)} advisories",
        advisories="; ".join(named) + more,
    )
