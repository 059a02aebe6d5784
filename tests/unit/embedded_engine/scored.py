"""A helper that scores a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_ext.embedded.engine.scoring import PromptScores, PromptTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from tinker_ext.embedded.engine.model import BaseModel


def prompt_logprobs(
    base: BaseModel, adapter: Mapping[str, Any] | None, tokens: npt.NDArray[Any], topk: int = 0
) -> PromptScores:
    return PromptTable.of(base, adapter, tokens).scores(topk)
