"""The contract of one release: reconstructed, completed by the overlay, made tolerant."""
