"""The commands of `python -m codegen`; `scripts/` has an entry for each Makefile target."""
