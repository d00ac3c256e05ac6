"""What is left to another program to decrypt (docs/decisions/0015-tshark-for-the-rest.md)."""
