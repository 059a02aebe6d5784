"""A client for the Tinker training API.

    import tinker_ext as tinker

    with tinker.ServiceClient(base_url="embedded") as service:
        training = service.create_lora_training_client("embedded/tiny", rank=8)

The names are those of the official SDK, listed in `__init__.pyi`. Each is imported on first use, so
that `import tinker_ext` itself takes almost no time (`tests/unit/test_import_cost.py`).
"""

from tinker_ext.lazy_exports import lazy_exports

__all__, __getattr__, __dir__ = lazy_exports(__name__, __file__)
