"""Tensor data and its conversion from and to numpy, torch and lists."""
