"""The only room that knows asyncio, threads and tenacity.

Everything the client does over time happens on one background loop: submissions in order, polling,
retries, heartbeats. A future is the only bridge to the user's threads.
"""
