"""The types of the API as users see them.

Requests are built from these and turned into generated models by ``to_api()``; responses are read
with ``from_api()``. All are immutable. The names are listed in `__init__.pyi`, and each is imported
on first use, without numpy, torch or the generated models.
"""

from tinker_ext.lazy_exports import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, __file__)
