"""A helper that scores a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from tinker_ext.embedded.engine.model import BaseModel
from tinker_ext.embedded.engine.scoring import PromptScores, PromptTable


def prompt_logprobs(
    base: BaseModel, adapter: Mapping[str, Any] | None, tokens: npt.NDArray[Any], topk: int = 0
) -> PromptScores:
    return PromptTable.of(base, adapter, tokens).scores(topk)
