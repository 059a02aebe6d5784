"""An OpenAI-compatible endpoint over the samplers of any server of the Tinker API.

`tinker-ext serve` adds its routes to the embedded backend; `tinker-ext openai` runs it in front of
another server.
"""

from tinker_ext.openai_api.endpoint import OpenAIEndpoint
from tinker_ext.openai_api.errors import EndpointError

__all__ = ["EndpointError", "OpenAIEndpoint"]
