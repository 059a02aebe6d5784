"""Tokens used by a client, their estimate before a run, and the cost of either.

    from tinker_ext import usage

    prices = usage.read_prices("prices.json")
    planned = usage.of_training(data, epochs=3) + usage.of_sampling(prompts, params, num_samples=4)
    print(planned.cost(prices["Qwen/Qwen3-8B"]))
    ...
    print(service.usage(), training.usage().cost(prices["Qwen/Qwen3-8B"]))

Text tokens are counted. The tokens of images are not, because only the server knows their number.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from os import PathLike

from attrs import asdict, field, fields, frozen
from attrs.validators import optional

from tinker_ext import types
from tinker_ext.errors import InvalidInputError
from tinker_ext.types.argument_checks import check_number

#: The unit of prices.
_PER = 1_000_000


_check_price = check_number("a number >= 0", lambda x: x >= 0)


@frozen(kw_only=True)
class Price:
    """The price of a model per million tokens, in any currency.

    Attributes:
        training: tokens of `forward_backward`.
        prompt: tokens of prompts.
        sampled: sampled tokens.
        cached_prompt: tokens of prompts that the server found in its cache; None as for `prompt`.
        forward: tokens of `forward`; None as for `prompt`, since both are one pass over the tokens.
    """

    training: float = field(validator=_check_price)
    prompt: float = field(validator=_check_price)
    sampled: float = field(validator=_check_price)
    cached_prompt: float | None = field(default=None, validator=optional(_check_price))
    forward: float | None = field(default=None, validator=optional(_check_price))


@frozen(kw_only=True)
class Usage:
    """What requests have used; two can be added, and one multiplied by a number of repetitions.

    Attributes:
        training_tokens: tokens of `forward_backward`, and of the second half of a custom loss.
        forward_tokens: tokens of `forward`, and of the first half of a custom loss.
        prompt_tokens: tokens of prompts, each prompt once for all its samples.
        cached_prompt_tokens: the part of `prompt_tokens` that the server found in its cache.
        sampled_tokens: sampled tokens.
        samples: sample requests.
        optim_steps: updates of weights.
    """

    training_tokens: int = 0
    forward_tokens: int = 0
    prompt_tokens: int = 0
    cached_prompt_tokens: int = 0
    sampled_tokens: int = 0
    samples: int = 0
    optim_steps: int = 0

    def __add__(self, other: Usage) -> Usage:
        mine, others = asdict(self), asdict(other)
        return Usage(**{name: mine[name] + others[name] for name in mine})

    def __mul__(self, repetitions: float) -> Usage:
        return Usage(**{name: round(count * repetitions) for name, count in asdict(self).items()})

    def cost(self, price: Price) -> float:
        """The cost in the currency of the price."""
        uncached = self.prompt_tokens - self.cached_prompt_tokens
        cached = price.prompt if price.cached_prompt is None else price.cached_prompt
        forward = price.prompt if price.forward is None else price.forward
        total = (
            self.training_tokens * price.training
            + self.forward_tokens * forward
            + uncached * price.prompt
            + self.cached_prompt_tokens * cached
            + self.sampled_tokens * price.sampled
        )
        return total / _PER


def of_training(data: Iterable[types.Datum], epochs: float = 1) -> Usage:
    """The use of `forward_backward` on each datum, `epochs` times."""
    tokens = sum(datum.model_input.known_length for datum in data)
    return Usage(training_tokens=tokens) * epochs


def of_sampling(
    prompts: Iterable[types.ModelInput],
    sampling_params: types.SamplingParams,
    num_samples: int = 1,
) -> Usage:
    """The largest use of sampling from each prompt: every sample has `max_tokens`, no cache.

    Raises:
        InvalidInputError: `max_tokens` is None, so that there is no limit.
    """
    if sampling_params.max_tokens is None:
        raise InvalidInputError("set max_tokens to estimate the use", where="sampling_params")
    lengths = [prompt.known_length for prompt in prompts]
    return Usage(
        prompt_tokens=sum(lengths),
        sampled_tokens=len(lengths) * num_samples * sampling_params.max_tokens,
        samples=len(lengths),
    )


def read_prices(path: str | PathLike[str]) -> dict[str, Price]:
    """Read a price table: a JSON object with the price of each model by name.

        {"Qwen/Qwen3-8B": {"training": 0.4, "prompt": 0.13, "sampled": 0.4}}

    Raises:
        InvalidInputError: the file is not such a table; the message names the model and the field.
        OSError: the file can't be read.
    """
    with open(path, encoding="utf-8") as file:
        try:
            table = json.load(file)
        except ValueError as error:
            raise InvalidInputError(f"not JSON: {error}", where=str(path)) from None
    if not isinstance(table, dict):
        raise InvalidInputError("expected an object with a price per model", where=str(path))
    return {model: _read_price(price, f"{path}, {model}") for model, price in table.items()}


def _read_price(price: object, where: str) -> Price:
    names = {attribute.name for attribute in fields(Price)}
    required = {"training", "prompt", "sampled"}
    if not isinstance(price, Mapping) or not required <= price.keys() <= names:
        raise InvalidInputError(
            f"expected an object with {', '.join(sorted(required))} and optionally "
            f"{', '.join(sorted(names - required))}",
            where=where,
        )
    try:
        return Price(**price)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, where=f"{where}, {error.where}") from None


class UsageCounter:
    """Counts the use of one client, and that of its service if `total` is given; thread-safe."""

    def __init__(self, total: UsageCounter | None = None) -> None:
        self._lock: threading.Lock = threading.Lock() if total is None else total._lock
        self._usage = dict.fromkeys((attribute.name for attribute in fields(Usage)), 0)
        self._counted = [self._usage] if total is None else [self._usage, total._usage]

    def read(self) -> Usage:
        """The use so far."""
        with self._lock:
            return Usage(**self._usage)

    def add(self, **counts: int) -> None:
        """Add to attributes of `Usage`."""
        with self._lock:
            for usage in self._counted:
                for name, count in counts.items():
                    usage[name] += count
