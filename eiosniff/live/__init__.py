"""Diagnosis while the capture runs: a loop that feeds decoders, judges what they have up to now, and tells of it."""
