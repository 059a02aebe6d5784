"""The connection to one server: negotiation and client limits."""
