"""Servers that others wrote, started on CPU, and this client at work on each of them.

`environments` installs a server, `tiny_model` makes it a model, `launch` starts it on loopback,
`steps` are what the client is put through, `driver` runs them and tells how each ended. What is
particular to a server is how it is installed and started, in `catalog`; nothing else knows names.
"""
