"""Several contracts: their union, and the changes between them."""
