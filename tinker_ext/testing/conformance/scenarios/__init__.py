"""The scenarios, by subject. Importing this package registers them."""

from __future__ import annotations

from tinker_ext.testing.conformance.scenarios import attempts, samples, session, training

__all__ = ["attempts", "samples", "session", "training"]
