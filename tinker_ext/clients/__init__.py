"""The public clients: validate arguments, submit requests and return futures."""
