"""Who gets on with whom: each client against each server, and what the first line says where they do not.

A cell is the code of the first diagnosis, or `yes`: a session without a warning. The recordings are in
`captures/recorded/matrix/`, one a cell; clients connect as they do by default.
"""

# EIO001, EIO002: refused because of its revision, over polling and over WebSocket. EIO003: a client of revision 4 at a
# server of revision 3. EIO004: the other way round, at socket.io 3.0. EIO006: a client of Socket.IO 0.9. EIO211: the
# client never uses the session that it was given. EIO212: the server refuses what the client posts while it upgrades.
TABLE = """
client \\ server     | sio 1  | sio 2  | 3.0    | 3.1    | 4      | 4+3    | py 4   | py 5   | netty1 | netty2 | go
js 0.9              | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006 | EIO006
js 1                | yes    | yes    | EIO004 | EIO001 | EIO001 | yes    | yes    | EIO001 | yes    | yes    | yes
js 2                | yes    | yes    | EIO004 | EIO001 | EIO001 | yes    | yes    | EIO001 | yes    | yes    | yes
java 1              | yes    | yes    | EIO004 | EIO001 | EIO001 | yes    | yes    | EIO001 | yes    | yes    | EIO212
cpp 2               | yes    | yes    | EIO004 | EIO002 | EIO002 | yes    | yes    | EIO002 | yes    | yes    | yes
python 4            | yes    | yes    | EIO004 | EIO001 | EIO001 | yes    | yes    | EIO001 | yes    | yes    | yes
js 4                | EIO003 | EIO003 | yes    | yes    | yes    | yes    | EIO001 | yes    | EIO003 | yes    | EIO003
java 2              | EIO003 | EIO003 | yes    | yes    | yes    | yes    | EIO001 | yes    | EIO003 | yes    | EIO003
cpp 3               | EIO003 | EIO003 | yes    | yes    | yes    | yes    | EIO002 | yes    | EIO003 | yes    | EIO003
python 5            | EIO003 | EIO003 | yes    | yes    | yes    | yes    | EIO001 | yes    | EIO003 | yes    | EIO003
arduino 2.3.0 EIO=3 | yes    | yes    | EIO004 | EIO001 | EIO001 | EIO211 | HTTP088| HTTP088| EIO211 | EIO211 | EIO211
arduino 2.3.2 EIO=4 | EIO003 | EIO003 | EIO038 | EIO038 | EIO038 | EIO038 | HTTP088| HTTP088| EIO003 | EIO211 | EIO003
arduino 2.7.2 EIO=4 | EIO003 | EIO003 | yes    | yes    | yes    | yes    | HTTP088| HTTP088| EIO003 | EIO211 | EIO003
"""
COLUMNS = {
    "sio 1": "socket.io 1",
    "sio 2": "socket.io 2",
    "3.0": "socket.io 3.0",
    "3.1": "socket.io 3.1",
    "4": "socket.io 4",
    "4+3": "socket.io 4 allowEIO3",
    "py 4": "python 4",
    "py 5": "python 5",
    "netty1": "netty 1.7",
    "netty2": "netty 2.0",
    "go": "googollee",
}
# A server of Python takes no page of another origin unless told to, nor the `file://` that arduinoWebSockets calls its
# own (HTTP088). Told to (cors_allowed_origins="*"), it is as one would think.
ANY_ORIGIN = {
    ("arduino 2.3.0 EIO=3", "python 4 any origin"): "EIO211",
    ("arduino 2.3.0 EIO=3", "python 5 any origin"): "EIO001",
    ("arduino 2.3.2 EIO=4", "python 4 any origin"): "EIO001",
    ("arduino 2.3.2 EIO=4", "python 5 any origin"): "EIO038",
    ("arduino 2.7.2 EIO=4", "python 4 any origin"): "EIO001",
    ("arduino 2.7.2 EIO=4", "python 5 any origin"): "yes",
}
# What the recordings show, and what one would not think:
# - arduinoWebSockets up to 2.3.0 takes the sid from the cookie `io` only. Servers that set none (socket.io from 3 on,
#   even with allowEIO3, Python, Go) open a session for it each half second; it never uses one.
# - It sends the handshake and the upgrade on one connection. netty-socketio ends each connection after its answer,
#   while it says keep-alive: no version of the library gets on with it.
# - 2.3.2 pings in revision 4, and 3.0 does not mind; the fault is there all the same (EIO038).
# - A client in C++ knows WebSocket only. It asks to join before the open packet has come, so that a server of
#   revision 3 seems to answer "40" with "40"; that its answer has no sid gives it away.
# - googollee/go-socket.io refuses a POST that comes while the client upgrades (400 "payload: paused"). The clients in
#   JavaScript meet that now and then; that in Java, which sends its first event then, always does, and starts again.
# - netty-socketio 1.7 sometimes loses the poll that waits during an upgrade, and the session with it. Not in these.
# - Between 1.x and 2.x the text of these recordings is ASCII: other text in polling payloads is encoded in two ways.

# Clients that cannot be had here; what they send is held against the data in tests/unit/knowledge/documented.py:
# - swift needs the frameworks of Apple, dart the Dart SDK, csharp the .NET SDK, rust packages of crates.io
# - timum-viw/socket.io-client is given up; it is arduinoWebSockets with another URL


def _cells() -> dict[tuple[str, str], str]:
    head, *rows = TABLE.strip().splitlines()
    columns = [COLUMNS[name.strip()] for name in head.split("|")[1:]]
    cells: dict[tuple[str, str], str] = {}
    for row in rows:
        name, *values = (value.strip() for value in row.split("|"))
        cells.update(zip([(name, column) for column in columns], values, strict=True))
    return cells | ANY_ORIGIN


CELLS = _cells()
