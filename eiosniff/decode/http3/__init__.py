"""HTTP/3 and WebTransport over it."""
