"""The retry engine and the pauses shared by all requests with one key."""
