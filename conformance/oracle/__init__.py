"""Compares the contract of a release with the official package itself, imported and called."""
