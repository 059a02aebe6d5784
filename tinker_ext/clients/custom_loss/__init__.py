"""Custom losses: gradients computed here, or a traced loss that the server runs."""
