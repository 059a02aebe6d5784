"""The dialects by name. Imports nothing: the command line shows them too."""

from __future__ import annotations

ANY = "any"

# The name users give, and the document of the generated client's package with the specification;
# that of `any` is the union of all releases.
DIALECTS = {
    "0.4.1": "readings/0.4.1.json",
    "0.24": "readings/0.24.1.json",
    "0.25": "readings/0.25.0.json",
    "0.38": "readings/0.38.0.json",
    ANY: "openapi.json",
}

#: The dialect that the whole number of its release means: 0.38.0 is 0.38.
BY_RELEASE = {
    document.removeprefix("readings/").removesuffix(".json"): name
    for name, document in DIALECTS.items()
    if name != ANY
}
