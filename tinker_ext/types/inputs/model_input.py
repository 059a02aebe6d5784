"""`ModelInput`: what a model reads, as a row of chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from tinker_ext.errors import InvalidInputError
from tinker_ext.types.inputs.audio import DmelChunk
from tinker_ext.types.inputs.chunks import EncodedTextChunk, ModelInputChunk
from tinker_ext.types.inputs.images import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tinker_api import models as api

    from tinker_ext.types.tensors.arrays import SupportsArray


def _read_chunks(chunks: Iterable[ModelInputChunk]) -> list[ModelInputChunk]:
    found = list(chunks)
    for at, chunk in enumerate(found):
        if not isinstance(chunk, EncodedTextChunk | Image | DmelChunk):
            raise InvalidInputError(
                f"expected a chunk, got {type(chunk).__name__}; "
                "token ids go through ModelInput.from_ints(...)",
                where=f"chunks[{at}]",
            )
    return found


@frozen
class ModelInput:
    """A row of chunks of text, images and sound. Never changed: `append` gives a new one.

    >>> ModelInput.from_ints([1, 2]).append_int(3).to_ints()
    [1, 2, 3]
    """

    chunks: list[ModelInputChunk] = field(converter=_read_chunks)

    @classmethod
    def from_ints(cls, tokens: Sequence[int] | SupportsArray) -> ModelInput:
        """One text chunk from token ids: a list, a numpy array or a torch tensor, 1-D."""
        return cls(chunks=[EncodedTextChunk(tokens=tokens)])

    @classmethod
    def empty(cls) -> ModelInput:
        """An input without chunks."""
        return cls(chunks=[])

    def to_ints(self) -> list[int]:
        """All token ids in one new list.

        Raises:
            InvalidInputError: (a ValueError) a chunk is not text; it is named.
        """
        tokens: list[int] = []
        for at, chunk in enumerate(self.chunks):
            if not isinstance(chunk, EncodedTextChunk):
                raise InvalidInputError(
                    f"{type(chunk).__name__} has no token ids", where=f"chunks[{at}]"
                )
            tokens.extend(chunk.tokens)
        return tokens

    @property
    def length(self) -> int:
        """How many tokens of context the input takes, images and sound included."""
        return sum(chunk.length for chunk in self.chunks)

    @property
    def known_length(self) -> int:
        """As `length`, without the images of which only the server knows how much they take."""
        return sum(chunk.known_length or 0 for chunk in self.chunks)

    def append(self, chunk: ModelInputChunk) -> ModelInput:
        """A new input with ``chunk`` at the end."""
        return ModelInput(chunks=[*self.chunks, chunk])

    def append_int(self, token: int) -> ModelInput:
        """A new input with one more token, as a text chunk of its own."""
        return self.append(EncodedTextChunk(tokens=[token]))

    def to_api(self) -> api.ModelInput:
        """The generated model."""
        from tinker_api import models as api

        return api.ModelInput(chunks=[chunk.to_api() for chunk in self.chunks])
