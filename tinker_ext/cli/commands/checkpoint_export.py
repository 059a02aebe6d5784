"""`tinker-ext checkpoint export`, `merge` and `push-hf`: checkpoints for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinker_ext.cli.context import CommandContext, pass_context, path_argument
from tinker_ext.cli.error_reporting import CommandError
from tinker_ext.cli.output import show

if TYPE_CHECKING:
    from tinker_ext.cli.adapters import Adapter

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
    from tinker_ext.cli.adapters import downloaded_adapter, export_adapter, new_folder

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
    from tinker_ext.cli.adapters import downloaded_adapter, merge_adapter, new_folder

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

    from tinker_ext.cli.adapters import downloaded_adapter, repository_name, safe_name

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
    from tinker_ext.cli.adapters import model_card

    card = adapter.folder / "README.md"
    if not card.exists():
        card.write_text(model_card(adapter, repository), encoding="utf-8")
