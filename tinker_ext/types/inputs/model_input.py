"""`ModelInput`: the input of a model as a list of chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import field, frozen
from tinker_api import models as api

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.audio import DmelChunk
from tinker_ext.types.inputs.chunks import EncodedTextChunk, ModelInputChunk
from tinker_ext.types.inputs.images import Image
from tinker_ext.types.records import Record
from tinker_ext.types.tensors.arrays import SupportsArray

_CHUNKS = (EncodedTextChunk, Image, DmelChunk)


def _read_chunks(chunks: Iterable[ModelInputChunk]) -> list[ModelInputChunk]:
    result = list(chunks)
    for index, chunk in enumerate(result):
        if not isinstance(chunk, _CHUNKS):
            raise InvalidInputError(
                f"expected a chunk, got {type(chunk).__name__}; "
                "pass token ids to ModelInput.from_ints(...)",
                where=f"chunks[{index}]",
            )
    return result


@frozen
class ModelInput(Record):
    """A list of text, image and audio chunks. Immutable: `append` returns a new input.

    >>> ModelInput.from_ints([1, 2]).append_int(3).to_ints()
    [1, 2, 3]
    """

    chunks: list[ModelInputChunk] = field(converter=_read_chunks)

    @classmethod
    def from_ints(cls, tokens: Sequence[int] | SupportsArray) -> ModelInput:
        """Creates one text chunk from token ids: a list, a 1-D numpy array or a torch tensor."""
        return cls(chunks=[EncodedTextChunk(tokens=tokens)])

    @classmethod
    def empty(cls) -> ModelInput:
        """Creates an input without chunks."""
        return cls(chunks=[])

    def to_ints(self) -> list[int]:
        """Returns all token ids in one new list.

        Raises:
            InvalidInputError: (a ValueError) a chunk is not text; `where` names it.
        """
        tokens: list[int] = []
        for index, chunk in enumerate(self.chunks):
            if not isinstance(chunk, EncodedTextChunk):
                raise InvalidInputError(
                    f"{type(chunk).__name__} has no token ids", where=f"chunks[{index}]"
                )
            tokens.extend(chunk.tokens)
        return tokens

    @property
    def length(self) -> int:
        """The number of context tokens, including images and audio."""
        return sum(chunk.length for chunk in self.chunks)

    @property
    def known_length(self) -> int:
        """Same as `length`, without images whose length only the server knows."""
        return sum(chunk.known_length or 0 for chunk in self.chunks)

    def append(self, chunk: ModelInputChunk) -> ModelInput:
        """Returns a new input with ``chunk`` at the end."""
        return ModelInput(chunks=[*self.chunks, chunk])

    def append_int(self, token: int) -> ModelInput:
        """Returns a new input with one more token, in a separate text chunk."""
        return self.append(EncodedTextChunk(tokens=[token]))

    def to_api(self) -> api.ModelInput:
        """Builds the generated model."""
        return api.ModelInput(chunks=[chunk.to_api() for chunk in self.chunks])
