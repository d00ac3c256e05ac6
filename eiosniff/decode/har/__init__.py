"""HAR entries as records for the session layer."""
