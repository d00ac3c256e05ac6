"""`make bench`: eiosniff and tshark, side by side on captures of a million packets. See docs/performance.md."""
