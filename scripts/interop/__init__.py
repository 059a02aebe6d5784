"""Official SDKs at work, each in its own environment, and what they say held to the specification.

`environments` makes the places they run in, `drivers` are the programs run there, `recorder` stands
between a driver and a server and keeps what passes, `contract` compares that with the specification
of a release, `session` puts the four together.
"""
