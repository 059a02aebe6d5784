"""An httpx transport that uses aiohttp."""
