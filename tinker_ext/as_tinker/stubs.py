"""Stub files with which type checkers and editors read `import tinker` as this package."""

from __future__ import annotations

from pathlib import Path

from tinker_ext.as_tinker.module_table import MAPPED, NAMESPACES

#: Names that a star import does not have, by module.
_FURTHER = {
    "tinker": "__version__: str\n__title__: str\n",
    "tinker._version": "__version__: str\n__title__: str\n",
}


def write_stubs(folder: Path) -> Path:
    """Write the stub package `tinker` into the folder, and return its path.

    Every module of the alias has the public names of the module of this package that it stands
    for. Pyright and Pylance read the folder `typings` of a project; mypy needs `mypy_path`.
    """
    for module in sorted({*MAPPED, *NAMESPACES}):
        if module.endswith(".__main__"):
            continue
        file = folder.joinpath(*module.split("."), "__init__.pyi")
        file.parent.mkdir(parents=True, exist_ok=True)
        names = f"from {MAPPED[module]} import *\n" if module in MAPPED else ""
        file.write_text(names + _FURTHER.get(module, ""), encoding="utf-8")
    return folder / "tinker"
