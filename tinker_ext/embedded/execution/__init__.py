"""Runs the submitted requests: training, sampling, saving and loading."""
