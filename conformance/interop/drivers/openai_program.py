"""Samples with the `openai` package. Prints the results as one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import openai

CHAT: list[Any] = [{"role": "user", "content": "the quick brown"}]


def main(base_url: str, model: str) -> dict[str, Any]:
    client = openai.OpenAI(base_url=base_url, api_key="tml-any", max_retries=0)
    common: dict[str, Any] = {"model": model, "max_tokens": 12, "temperature": 0, "seed": 1}
    results: dict[str, Any] = {"version": openai.__version__}

    chat = client.chat.completions.create(messages=CHAT, logprobs=True, top_logprobs=2, **common)
    results["chat"] = chat.model_dump()
    stream = client.chat.completions.create(
        messages=CHAT, stream=True, stream_options={"include_usage": True}, **common
    )
    results["chat_stream"] = [chunk.model_dump() for chunk in stream]

    text = client.completions.create(prompt=["the quick", "hello"], n=2, logprobs=1, **common)
    results["text"] = text.model_dump()
    results["text_stream"] = [
        chunk.choices[0].text
        for chunk in client.completions.create(prompt="the quick", stream=True, **common)
    ]
    stopped = client.completions.create(
        prompt="the quick", stop=[text.choices[0].text[3:5]], **common
    )
    results["stopped"] = stopped.choices[0].model_dump()
    results["models"] = [listed.id for listed in client.models.list()]
    results["async"] = asyncio.run(many(base_url, common))
    results["errors"] = {name: failure(call) for name, call in failing(client).items()}
    return results


async def many(base_url: str, common: dict[str, Any]) -> list[str | None]:
    """Eight chats at once."""
    async with openai.AsyncOpenAI(base_url=base_url, api_key="tml-any") as client:
        chats = [client.chat.completions.create(messages=CHAT, **common) for _ in range(8)]
        return [chat.choices[0].message.content for chat in await asyncio.gather(*chats)]


def failing(client: openai.OpenAI) -> dict[str, Any]:
    """Calls that fail, by name."""
    create = client.completions.create
    return {
        "model": lambda: create(model="tinker://none/sampler_weights/0", prompt="a"),
        "range": lambda: create(model="embedded/tiny", prompt="a", temperature=-1),
        "unknown": lambda: create(model="embedded/tiny", prompt="a", extra_body={"topp": 1}),
        "key": lambda: client.models.list(extra_headers={"Authorization": "none"}),
    }


def failure(call: Any) -> list[Any]:
    """The class and details of the error of a call."""
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]
    return ["no error"]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
