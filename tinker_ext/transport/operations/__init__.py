"""One typed method per operation of the API, by what it is about.

The only place that calls generated endpoints; `transport.gateway` puts it together.
"""
