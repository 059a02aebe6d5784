"""The import finder that maps modules of the official SDK to modules of this package."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from tinker_ext.as_tinker.module_table import ABSENT, DOCUMENT, MAPPED, NAMESPACES, RELEASE

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

PACKAGE = "tinker"
#: Names that differ from those of the mapped module: programs compare the version of the official
#: SDK to find out which features it has.
_OWN_VALUES = {
    "tinker": {"__version__": RELEASE, "__title__": PACKAGE},
    "tinker._version": {"__version__": RELEASE, "__title__": PACKAGE},
}


class AliasFinder(MetaPathFinder):
    """Finds `tinker` and its submodules, and the version that `importlib.metadata` reports."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an alias module; None for modules of other packages.

        Raises:
            ModuleNotFoundError: this package has no equivalent of the module; the message says why.
        """
        if fullname.partition(".")[0] != PACKAGE:
            return None
        if fullname not in MAPPED and fullname not in NAMESPACES:
            raise ModuleNotFoundError(
                f"{fullname} is not available in tinker_ext: {_reason(fullname)} (see {DOCUMENT})",
                name=fullname,
            )
        # Every alias can have submodules; all of them are found here, never in a folder.
        is_package = not fullname.endswith(".__main__")
        return ModuleSpec(fullname, AliasLoader(), origin="tinker_ext", is_package=is_package)

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """The metadata of `tinker`, for `importlib.metadata.version("tinker")` only."""
        if context is None or context.name != PACKAGE:
            return []
        return [_distribution()]


def _distribution() -> Distribution:
    """The metadata that the official package would have, for programs that check its version."""
    from importlib.metadata import Distribution  # Not needed at the start of each process.

    class AliasDistribution(Distribution):
        def read_text(self, filename: str) -> str | None:
            if filename != "METADATA":
                return None
            return f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {RELEASE}\n"

        def locate_file(self, path: Any) -> Any:
            return path

    return AliasDistribution()


class AliasLoader(Loader):
    """Loads alias modules, whose names are looked up in the mapped module on first use."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _AliasModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Has nothing to execute: names are looked up when they are used."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the mapped module, which `python -m tinker.cli` runs."""
        spec = importlib.util.find_spec(MAPPED.get(fullname, "tinker_ext"))
        loader: Any = None if spec is None else spec.loader
        return None if loader is None else loader.get_code(spec.name if spec else fullname)


class _AliasModule(ModuleType):
    """A module of the official SDK whose names are those of a module of this package."""

    def __init__(self, name: str) -> None:
        super().__init__(
            name, f"The module {name} of the official SDK, with objects of tinker_ext."
        )
        vars(self).update(_OWN_VALUES.get(name, {}))

    def __getattr__(self, name: str) -> Any:
        if name == "__all__" and self.__name__ in MAPPED:
            return [public for public in dir(self._mapped()) if not public.startswith("_")]
        if name == "__file__" and self.__name__ == PACKAGE:  # Programs log where the SDK is.
            return self._mapped().__file__
        if f"{self.__name__}.{name}" in MAPPED:
            return import_module(f"{self.__name__}.{name}")
        if self.__name__ not in MAPPED or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        try:
            value = getattr(self._mapped(), name)
        except AttributeError:
            raise AttributeError(
                f"module {self.__name__!r} has no attribute {name!r} in tinker_ext; "
                f"{DOCUMENT} lists the names of the official SDK that are missing"
            ) from None
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        names = dir(self._mapped()) if self.__name__ in MAPPED else []
        return sorted({*vars(self), *names})

    def _mapped(self) -> ModuleType:
        return import_module(MAPPED[self.__name__])


def _reason(fullname: str) -> str:
    if fullname.endswith("_test"):
        return "it contains tests of the official SDK"
    return ABSENT.get(fullname, "releases 0.4.1 and 0.38.0 of the official SDK do not have it")
