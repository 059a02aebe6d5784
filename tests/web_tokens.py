"""JSON web tokens as servers give them; nobody checks their signatures."""

from __future__ import annotations

import base64
import json


def web_token(claims: object) -> str:
    """A token that says this of itself; bytes and text are put in as they are."""
    text = claims if isinstance(claims, bytes | str) else json.dumps(claims)
    payload = text if isinstance(text, bytes) else text.encode()
    middle = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{middle}.c2ln"
