"""Keeps secrets and control characters out of everything that is shown."""
