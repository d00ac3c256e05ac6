"""eiosniff finds out from a packet capture why a Socket.IO client and server do not get along."""

__version__ = "0.1.0"
