"""Decisions, as pure functions: what is retried, polled, split, reduced and let in, and when.

Time and chance come in as arguments. The same decisions are written down as data, for clients in
other languages, in ports/conformance/vectors.
"""
