"""Checkpoints: their names, files and archives."""
