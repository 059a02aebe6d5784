"""The fault matrix: every operation of the client under every fault, on real sockets.

environment           the server, the simulated time and the clients of one cell
outcomes              the outcomes of a cell, and the expectation of an operation
operation             one operation under test
cases                 the faults, with the expected outcome of each
operations            all operations under test
late_protocol_rows    REST and admin operations of releases from 0.24.1 on
background_calls      calls that trigger background requests
background_rows       background requests that only release 0.38.0 requires
late_protocol_server  a server that requires them
runner                runs cells and compares their outcomes
processes             runs all cells on several cores
table                 the tables of docs/faults.md
"""
