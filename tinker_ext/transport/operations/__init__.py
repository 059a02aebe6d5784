"""One typed method per operation of the API, grouped by subject.

Only this package uses the generated endpoints; `transport.gateway` combines the groups.
"""
