"""The command `tinker` of the official package: `tinker-ext` with the defaults of that command."""

from tinker_ext.cli.main import program


def cli() -> None:
    """Run the command; the name is that of the official package's entry point."""
    unpack = {"checkpoint": {"download": {"extract": True}}}
    program(prog_name="tinker", default_map=unpack)


if __name__ == "__main__":
    cli()
