"""What the patterns share: a model, a tokenizer and small training data."""

import functools

import tinker
from tinker import types

BASE_MODEL = "embedded/tiny"
RANK = 4


@functools.cache
def service():
    """One client for the whole process, created on first use."""
    return tinker.ServiceClient(user_metadata={"program": "call patterns"})


def new_trainer():
    return tinker.ServiceClient().create_lora_training_client(base_model=BASE_MODEL, rank=RANK)


def prompt_of(text):
    return types.ModelInput.from_ints(encode(text))


def encode(text):
    return list(text.encode())


def next_token_datum(text, prefix=0):
    """A datum that trains on every token after the first `prefix` ones."""
    tokens = encode(text)
    weights = [0.0] * prefix + [1.0] * (len(tokens) - prefix)
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": weights[1:]},
    )
