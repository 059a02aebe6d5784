"""Sample 500 prompts with a progress bar, and write each result as soon as it is complete.

All requests are submitted at once; the client limits how many are in flight, retries the failed
ones and pauses when the server asks for it. A sample that fails for good does not end the sweep.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import Future, as_completed
from pathlib import Path

import matplotlib.pyplot as plt
from rich.progress import track

import tinker_ext as tinker


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
    elapsed: list[float] = []
    failed = 0
    with (
        tinker.ServiceClient(base_url=args.base_url) as service,
        args.results.open("w", encoding="utf-8") as results,
    ):
        sampler = service.create_sampling_client(base_model=args.model)
        tokenizer = sampler.get_tokenizer()
        started = time.perf_counter()
        futures: dict[Future[tinker.SampleResponse], str] = {
            sampler.sample(tinker.ModelInput.from_ints(tokenizer.encode(text)), 1, params): text
            for text in texts
        }
        for future in track(as_completed(futures), "Sampling", total=len(futures)):
            try:
                sequence = future.result().sequences[0]
            except tinker.TinkerError as error:
                failed += 1
                print(f"{futures[future]!r} failed: {error}")
                continue
            elapsed.append(time.perf_counter() - started)
            record = {
                "prompt": futures[future],
                "completion": tokenizer.decode(sequence.tokens),
                "stop_reason": sequence.stop_reason,
            }
            results.write(json.dumps(record) + "\n")
    print(f"{len(elapsed)} completions in {args.results}, {failed} failed")
    print(f"{len(elapsed) / elapsed[-1]:.0f} samples per second")

    plt.plot(elapsed, range(1, len(elapsed) + 1))
    plt.xlabel("seconds")
    plt.ylabel("completed samples")
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
