"""TLS: what it says in clear, and what it carries, where there are secrets."""
