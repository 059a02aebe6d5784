"""Runs the public package tinker-cookbook with the official SDK and with this client."""
