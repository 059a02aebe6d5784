"""An httpx transport that sends over aiohttp."""
