"""Checkpoints as PEFT adapters: download, export, merge with the base model, and model card."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.fetching import download_settings, show_progress
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
    from tinker_ext.cli.context import CommandContext
    from tinker_ext.types import WeightsInfoResponse

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
# Files of checkpoints that are not part of an adapter: the optimizer's state and a marker.
NOT_PART_OF_ADAPTER = ("optimizer*", "checkpoint_complete")

#: The folder of the embedded base model in an export, which no hub has.
BASE_FOLDER = "base_model"

#: Packages that `merge` needs for models other than the embedded one.
MERGE_PACKAGES = ("peft", "torch", "transformers")

_BASE = "base_model_name_or_path"


@frozen
class Adapter:
    """A downloaded adapter."""

    path: str
    folder: Path
    base_model: str

    @property
    def weights(self) -> Path:
        return next(self.folder / name for name in WEIGHTS if (self.folder / name).exists())

    @property
    def is_embedded(self) -> bool:
        """Whether the base model is part of this package."""
        return self.base_model in _embedded_models()

    def set_base_model(self, location: str) -> None:
        """Change the base model in the adapter's configuration."""
        config = _read_config(self.folder) | {_BASE: location}
        text = json.dumps(config, indent=2)
        (self.folder / CONFIG).write_text(text + "\n", encoding="utf-8")


@contextmanager
def downloaded_adapter(context: CommandContext, path: str) -> Iterator[Adapter]:
    """Download a checkpoint to a temporary folder, without the optimizer's state.

    Raises:
        CommandError: it is not a PEFT adapter, or its base model is unknown.
    """
    from tinker_ext.errors import APIError

    with tempfile.TemporaryDirectory(prefix="tinker-ext-") as temporary:
        with context.rest(**download_settings(None)) as rest:
            with show_progress(path) as progress:
                saved = rest.download_checkpoint(
                    path, Path(temporary), extract=True, progress=progress
                ).result()
            try:
                info = rest.get_weights_info_by_tinker_path(path).result()
            except APIError:  # an operation that some servers lack; the adapter names its base
                info = None
        assert saved.folder is not None, "external weights, or an extracted archive"
        for pattern in NOT_PART_OF_ADAPTER:
            for file in saved.folder.glob(pattern):
                file.unlink()
        yield _adapter(path, saved.folder, info)


def _adapter(path: str, folder: Path, info: WeightsInfoResponse | None) -> Adapter:
    if not (folder / CONFIG).exists() or not any((folder / name).exists() for name in WEIGHTS):
        encrypted = any(folder.glob("*.age"))
        reason = "it is encrypted" if encrypted else f"expected {CONFIG} and {WEIGHTS[0]}"
        raise CommandError(f"{path} is not a PEFT adapter: {reason}")
    base_model = _read_config(folder).get(_BASE) or (None if info is None else info.base_model)
    if not isinstance(base_model, str):
        raise CommandError(f"{path} does not name its base model; pass --base-model")
    adapter = Adapter(path, folder, base_model)
    adapter.set_base_model(base_model)
    return adapter


def _read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return config


def _embedded_models() -> tuple[str, ...]:
    """The embedded base models; none if their packages are not installed."""
    try:
        from tinker_ext.embedded.engine.model import BASE_MODELS
    except ImportError:
        return ()
    return BASE_MODELS


@contextmanager
def new_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A temporary folder that becomes `target` if the ``with`` block succeeds.

    Raises:
        CommandError: `target` exists, and `force` is not set.
    """
    if target.exists() and not force:
        raise CommandError(f"{target} already exists; pass --force to replace it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        building = Path(temporary) / target.name
        building.mkdir()
        yield building
        if target.is_dir():
            os.rename(target, Path(temporary) / "before")
        elif target.exists():
            target.unlink()
        os.rename(building, target)


def export_adapter(adapter: Adapter, building: Path, target: Path, base_model: str | None) -> None:
    """Write an adapter that `peft.AutoPeftModelForCausalLM` and transformers load.

    The folder `building` will be renamed to `target`. For the embedded model, which no hub has, it
    gets the base model as well, with its ``config.json``. The adapter's own folder gets none:
    transformers would take the folder for a complete model.
    """
    if base_model is not None:
        adapter.set_base_model(base_model)
    elif adapter.is_embedded:
        from tinker_ext.embedded import pretrained

        base = building / BASE_FOLDER
        base.mkdir()
        pretrained.write_base_model(adapter.base_model, base)
        pretrained.write_tokenizer(building)
        adapter.set_base_model(str(target.absolute() / BASE_FOLDER))
    shutil.copytree(adapter.folder, building, dirs_exist_ok=True)


def merge_adapter(adapter: Adapter, building: Path, base_model: str | None) -> None:
    """Write the base model merged with the adapter, as a model of transformers.

    Raises:
        CommandError: a package is missing, or the base model can't be loaded.
    """
    if base_model is None and adapter.is_embedded:
        from tinker_ext.embedded import pretrained

        pretrained.write_merged_model(adapter.base_model, adapter.weights, building)
        return
    if missing := [name for name in MERGE_PACKAGES if find_spec(name) is None]:
        raise CommandError(f"merging needs {' and '.join(missing)}: {install_hint('merge')}")
    import peft
    from transformers import AutoModelForCausalLM, AutoTokenizer

    location = base_model or adapter.base_model
    try:
        base = AutoModelForCausalLM.from_pretrained(location, dtype="auto")
        tokenizer = AutoTokenizer.from_pretrained(location)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"the base model {location} can't be loaded ({str(error).splitlines()[0]}); "
            "pass --base-model with a local folder"
        ) from error
    merged = peft.PeftModel.from_pretrained(base, str(adapter.folder)).merge_and_unload()
    merged.save_pretrained(building)
    tokenizer.save_pretrained(building)


def repository_name(adapter: Adapter) -> str:
    """The name of a repository for the adapter: its base model and its run."""
    run = adapter.path.removeprefix("tinker://").partition("/")[0]
    return safe_name(f"tinker-{adapter.base_model.rpartition('/')[2]}-{run}")


def safe_name(text: str) -> str:
    """A text as a name on the hub: letters, digits, ``-``, ``_`` and single dots."""
    name = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9_.-]", "-", text))
    return re.sub(r"\.{2,}", ".", name).strip("-_.")[:96]


def model_card(adapter: Adapter, repository: str) -> str:
    """The README of a repository that holds the adapter."""
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        base_model=adapter.base_model,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=["lora", "peft", "tinker", f"base_model:adapter:{adapter.base_model}"],
        tinker_path=adapter.path,
    )
    config = _read_config(adapter.folder)
    details = [f"- Base model: `{adapter.base_model}`", f"- Checkpoint: `{adapter.path}`"]
    details += [
        f"- {label}: {config[name]}"
        for label, name in (("LoRA rank", "r"), ("LoRA alpha", "lora_alpha"))
        if name in config
    ]
    if isinstance(config.get("target_modules"), list):
        details.append(f"- Trained modules: {', '.join(config['target_modules'])}")
    lines = [
        "---",
        data.to_yaml(),
        "---",
        "",
        f"# {repository.rpartition('/')[2]}",
        "",
        f"A LoRA adapter of `{adapter.base_model}`, trained through the Tinker API.",
        "",
        *details,
        "",
        "```python",
        "from peft import AutoPeftModelForCausalLM",
        "from transformers import AutoTokenizer",
        "",
        f'model = AutoPeftModelForCausalLM.from_pretrained("{repository}")',
        f'tokenizer = AutoTokenizer.from_pretrained("{adapter.base_model}")',
        "```",
        "",
    ]
    return "\n".join(lines)
