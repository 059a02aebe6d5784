"""Makes `python -m tinker_ext.cli` the same as `tinker-ext`."""

from tinker_ext.cli.main import main

#: What the command `tinker` of the official package calls; the import alias maps this module.
cli = main

if __name__ == "__main__":
    main()
