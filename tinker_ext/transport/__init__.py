"""The only room that knows httpx: connections, encoding, authentication and the operations.

Everything above it calls one method of `gateway.Gateway` per operation and gets a value or a
typed error of `tinker_ext.errors`.
"""
