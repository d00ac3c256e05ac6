"""The vocabulary: records that cross a layer. Standard library and numpy only.

"Packet" has three meanings in this field, so prose always says which: a *captured packet* (a row of a `PacketBatch`,
numbered as Wireshark does), an *Engine.IO packet* (`EioPacket`) or a *Socket.IO packet* (`SioPacket`).

From the wire upwards:

- `PacketBatch` (`batch`): captured packets as columns;
- `StreamChunk`, `StreamEnd` (`tcp`): bytes in order of one direction, and how it ended;
- `HttpRequest`, `HttpResponse` (`http`), `WsMessage`, `WsControl` (`websocket`): messages, and their packets;
- `EioPacket`, `SioPacket`: what they carry; `DecodedPacket` (`decoded`) is what `eiosniff decode` prints;
- `HarEntry`, `HarMessage` (`har`): what browsers record instead of packets;
- `Gap`, `Desync`, `Anomaly` (`trouble`): bad input as data, in the same stream as good input;
- `Session`, `Connection` (`session`), `Attempt` (`attempt`), `Client`, `Server` (`peers`), `CaptureSummary`
  (`summary`): the ledgers, bounded, filled by decoders; `Sketch` and `Tally` (`tally`) are what keeps them bounded;
- `Finding`, `Diagnosis`, `Report` (`finding`): judgements, made of ledgers by rules.

`PacketRef` and `Side` (`provenance`) say where a thing comes from and who sent it. Instants are integer nanoseconds
since 1970 (`ts_ns`).
"""
