"""QUIC: its first packets, and the streams that another program decrypted."""
