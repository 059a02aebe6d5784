"""Which requests a server accepts: flags, error shapes, hints, sequence numbers. Pure functions."""
