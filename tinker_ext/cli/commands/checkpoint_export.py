"""`tinker-ext checkpoint export`, `merge` and `push-hf`: checkpoints for other programs.

A checkpoint is downloaded as a PEFT adapter, and saved, merged with its base model, or uploaded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tinker_ext.cli.context import CommandContext, pass_context, path_argument
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.fetching import download_settings, show_progress
from tinker_ext.cli.output import show
from tinker_ext.install_hints import install_hint

if TYPE_CHECKING:
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


class Adapter(NamedTuple):
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
        import json

        config = _read_config(self.folder) | {_BASE: location}
        text = json.dumps(config, indent=2)
        (self.folder / CONFIG).write_text(text + "\n", encoding="utf-8")


@contextmanager
def downloaded_adapter(context: CommandContext, path: str) -> Iterator[Adapter]:
    """Download a checkpoint to a temporary folder, without the optimizer's state.

    Raises:
        CommandError: it is not a PEFT adapter, or its base model is unknown.
    """
    import tempfile

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
    import json

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
    import tempfile

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
    import shutil

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


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to create.",
)
force_option = click.option("--force", is_flag=True, help="Replace an existing folder.")
base_option = click.option(
    "--base-model",
    metavar="MODEL",
    help="Folder or hub name of the base model, instead of that in the checkpoint.",
)


@click.command()
@path_argument
@output_option
@base_option
@force_option
@pass_context
def export(
    context: CommandContext, path: str, output: Path, base_model: str | None, force: bool
) -> None:
    """Save a checkpoint as a PEFT adapter that AutoPeftModelForCausalLM loads.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME.

    The embedded model is on no hub; its export contains the base model.
    """
    with new_folder(output, force=force) as building, downloaded_adapter(context, path) as adapter:
        export_adapter(adapter, building, output, base_model)
    record = {"tinker_path": path, "folder": str(output), "base_model": adapter.base_model}
    show(context.format, record, f"Saved {path} as a PEFT adapter in {output}")


@click.command()
@path_argument
@output_option
@base_option
@force_option
@pass_context
def merge(
    context: CommandContext, path: str, output: Path, base_model: str | None, force: bool
) -> None:
    """Merge a checkpoint with its base model, and save a model for transformers.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME.

    The base model is loaded with transformers and merged with peft; the embedded model needs
    neither.
    """
    with new_folder(output, force=force) as building, downloaded_adapter(context, path) as adapter:
        merge_adapter(adapter, building, base_model)
    record = {"tinker_path": path, "folder": str(output), "base_model": adapter.base_model}
    show(context.format, record, f"Merged {path} with {adapter.base_model} in {output}")


@click.command("push-hf")
@path_argument
@click.option(
    "-r",
    "--repo",
    metavar="REPO",
    help="Repository, such as user/my-adapter. Default: named after the base model and the run, "
    "with a branch for the checkpoint.",
)
@click.option("--public", is_flag=True, help="Create a public repository (default: private).")
@click.option("--revision", metavar="BRANCH", help="Branch to upload to; it is created if missing.")
@click.option("--commit-message", metavar="TEXT", help="Message of the commit.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of committing.")
@click.option(
    "--allow-pattern", "allow", multiple=True, metavar="GLOB", help="Upload only such files."
)
@click.option(
    "--ignore-pattern", "ignore", multiple=True, metavar="GLOB", help="Leave such files out."
)
@click.option("--no-model-card", is_flag=True, help="Do not write a README.md.")
@pass_context
def push_hf(
    context: CommandContext,
    path: str,
    repo: str | None,
    public: bool,
    revision: str | None,
    commit_message: str | None,
    create_pr: bool,
    allow: Sequence[str],
    ignore: Sequence[str],
    no_model_card: bool,
) -> None:
    """Upload a checkpoint to the Hugging Face hub, as a PEFT adapter with a model card.

    PATH is a checkpoint path, such as tinker://RUN/weights/NAME. The optimizer's state is not
    uploaded.

    The token for the hub is that of `hf auth login`, or HF_TOKEN.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    hub = _hub()
    try:
        hub.whoami()
        with downloaded_adapter(context, path) as adapter:
            if repo is None:
                repo = repository_name(adapter)
                revision = revision or safe_name(path.removeprefix("tinker://").partition("/")[2])
            url = hub.create_repo(repo, private=not public, exist_ok=True)
            _check_repository(hub, url.repo_id, revision, path)
            if not no_model_card:
                _write_model_card(adapter, url.repo_id)
            if revision is not None and not create_pr:
                hub.create_branch(url.repo_id, branch=revision, exist_ok=True)
            commit = hub.upload_folder(
                folder_path=adapter.folder,
                repo_id=url.repo_id,
                revision=revision,
                commit_message=commit_message or f"Upload {path}",
                create_pr=create_pr,
                allow_patterns=list(allow) or None,
                ignore_patterns=list(ignore) or None,
            )
    except LocalTokenNotFoundError:
        raise CommandError(_NO_TOKEN) from None
    except HfHubHTTPError as error:
        if error.response.status_code == 401:
            raise CommandError(f"The hub rejects the token. {_NO_TOKEN}") from error
        raise CommandError(f"The hub: {str(error).strip()}") from error
    except HFValidationError as error:
        raise CommandError(str(error)) from error
    record = {
        "tinker_path": path,
        "repo_id": url.repo_id,
        "revision": revision,
        "url": str(url),
        "commit": commit.oid,
        "pull_request": commit.pr_url,
    }
    location = commit.pr_url or (str(url) if revision is None else f"{url} ({revision})")
    show(context.format, record, f"Uploaded {path} to {location}")


_NO_TOKEN = "Run `hf auth login`, or set HF_TOKEN to a token that may write."


def _hub() -> Any:
    """A client of the hub at HF_ENDPOINT, by default huggingface.co."""
    from huggingface_hub import HfApi

    return HfApi(library_name="tinker-ext")


def _check_repository(hub: Any, repository: str, revision: str | None, path: str) -> None:
    """Reject a repository that holds another checkpoint, by the path in its model card."""
    from huggingface_hub import ModelCard
    from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

    try:
        file = hub.hf_hub_download(repository, "README.md", revision=revision)
    except (EntryNotFoundError, RevisionNotFoundError):
        return
    existing = ModelCard.load(file).data.to_dict().get("tinker_path")
    if existing not in (None, path):
        raise CommandError(
            f"{repository} holds another checkpoint, {existing}; choose another --repo or "
            "--revision"
        )


def _write_model_card(adapter: Adapter, repository: str) -> None:
    card = adapter.folder / "README.md"
    if not card.exists():
        card.write_text(model_card(adapter, repository), encoding="utf-8")
