"""Fetching results: polling, batched polling, cancellation."""
