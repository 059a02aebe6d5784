"""API keys, the credential command, and the exchange of keys for JWTs."""
