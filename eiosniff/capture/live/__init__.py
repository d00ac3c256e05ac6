"""Captured packets as they come: from an interface, by a capturing program or a socket, or through a pipe.

`source` says what all have in common.
"""
