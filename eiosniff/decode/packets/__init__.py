"""From captured packets to TCP segments and QUIC datagrams, by column."""
