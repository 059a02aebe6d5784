"""Reads a recorded trace: timeline, summary, plot, Perfetto export."""
