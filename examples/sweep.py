"""Sample 500 prompts with a progress bar, and store each result as soon as it is complete.

The client limits how many requests are in flight, retries the failed ones and pauses when the
server asks for it. A prompt that fails for good does not end the sweep. Run the program again after
an interruption: it samples only the prompts that have no result yet.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rich.progress import track

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--results", type=Path, default=Path("sweep.jsonl"))
    parser.add_argument("--picture", type=Path, default=Path("sweep.png"))
    args = parser.parse_args()

    texts = [f"Say {number}:" for number in range(args.prompts)]
    params = tinker.SamplingParams(max_tokens=24, temperature=0.7, stop="\n")
    completions: list[str] = []
    elapsed: list[float] = []
    stored = 0
    with tinker.ServiceClient(base_url=args.base_url) as service:
        sampler = service.create_sampling_client(base_model=args.model)
        tokenizer = sampler.get_tokenizer()
        prompts = [tinker.ModelInput.from_ints(tokenizer.encode(text)) for text in texts]
        outcomes = sampler.sample_many(prompts, params, ordered=False, save_to=args.results)
        started = time.perf_counter()
        for outcome in track(outcomes, "Sampling", total=len(prompts)):
            if outcome.response is None:
                print(f"{texts[outcome.index]!r} failed: {outcome.error}")
                continue
            stored += outcome.stored
            tokens = outcome.response.sequences[0].tokens
            completions.append(str(tokenizer.decode(tokens)))
            elapsed.append(time.perf_counter() - started)
    print(f"{len(completions)} completions, {len(texts) - len(completions)} failed: {args.results}")
    if stored == len(completions):
        print("all of them were stored before")
    else:
        print(f"{(len(completions) - stored) / elapsed[-1]:.0f} samples per second")

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.plot(elapsed, range(1, len(elapsed) + 1))
    plt.xlabel("seconds")
    plt.ylabel("completed samples")
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
