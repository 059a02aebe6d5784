"""Makes `python -m tinker_ext.cli` the same as `tinker-ext`."""

from tinker_ext.cli.main import main

if __name__ == "__main__":
    main()
