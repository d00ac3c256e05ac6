"""TCP connections: their segments in order, what they show of the network, and of what they carry encrypted."""
