"""Input: where captured packets come from.

`source` opens a file, a pipe or standard input and yields `PacketBatch`es; `pcap` and `pcapng` read the two formats
through a `window` on the bytes, which hides whether they are mapped, streamed or compressed.
"""
