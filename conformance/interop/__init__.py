"""Runs official SDKs, each in its own environment, and validates their traffic.

environments      creates the environments
drivers/          programs that run in them: `scenario` is the one that all clients run
session           runs a driver
recorder          a server between a driver and a responder that records the exchanges
scripted_server   a responder with canned results, for releases the embedded backend lacks
minimal_responses removes the optional fields of responses
contract          validates exchanges against the specification of a release
traffic           which operations of a release were exercised and valid
parity            compares the requests of two clients
public_names      compares the public names of two packages
servers           installs and starts servers of other projects
server_traffic    which responses of these servers are valid
support_matrix    the outcome of each client on each server, as a table
"""
