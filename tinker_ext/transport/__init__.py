"""HTTP transport: connections, encoding, authentication, and one method per API operation.

The only package of the client that imports httpx. Callers use the methods of `gateway.Gateway`;
each returns a value or raises an error of `tinker_ext.errors`.
"""
