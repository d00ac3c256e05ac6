"""From records of connections to the ledgers of sessions, clients and servers."""
