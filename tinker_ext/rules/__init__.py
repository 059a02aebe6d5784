"""Decisions as pure functions: retries, polls, chunks, metrics, limits, token lifetimes.

Time and random numbers are arguments. ports/conformance/vectors holds the same decisions as data
for clients in other languages.
"""
