"""Checkpoints: their names, their files, and the archive in which they leave."""
