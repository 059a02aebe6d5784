"""Clients of the REST operations: training runs, checkpoints, sessions."""
