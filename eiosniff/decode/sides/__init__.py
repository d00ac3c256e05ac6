"""Two captures of the same sessions, compared."""
