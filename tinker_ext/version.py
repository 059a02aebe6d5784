"""The name and version of this package, in the one place that everything else reads."""

__title__ = "tinker-ext"
__version__ = "0.1.0"


def sdk_version(release: str) -> str:
    """What a server is told of its client: the official release it speaks like, and who it is.

    A local version of PEP 440, so that a server which compares versions reads the release.
    """
    return f"{release}+tinker-ext.{__version__}"
