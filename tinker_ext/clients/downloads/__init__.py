"""Downloads of checkpoints: resumed, verified, unpacked."""
