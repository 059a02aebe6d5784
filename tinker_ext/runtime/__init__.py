"""The asynchronous core of the client; only this package uses asyncio, threads and tenacity.

Ordered submissions, polls, retries and heartbeats run on one background loop. Futures are the only
connection to the user's threads.
"""
