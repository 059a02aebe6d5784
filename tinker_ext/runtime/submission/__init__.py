"""Submitting requests in order, with sequence numbers."""
