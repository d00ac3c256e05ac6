"""HTTP/1.x, and the header of a proxy before it."""
