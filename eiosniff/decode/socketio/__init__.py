"""Socket.IO packets of all parsers."""
