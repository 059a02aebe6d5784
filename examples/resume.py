"""Train with regular checkpoints, and resume after an interruption.

Run it, press Ctrl-C, and run it again: it continues after the last checkpoint, with the optimizer's
state. The run file has the path of that checkpoint and the losses so far.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TypedDict

import tinker_ext as tinker
from tinker_ext.install_hints import install_hint

TEXT = "the quick brown fox jumps over the lazy dog"


class Run(TypedDict):
    """The progress of a run, as stored in its file."""

    checkpoint: str | None
    losses: list[float]
    resumed_at: list[int]


def load_run(path: Path) -> Run:
    if not path.exists():
        return {"checkpoint": None, "losses": [], "resumed_at": []}
    run: Run = json.loads(path.read_text(encoding="utf-8"))
    return run


def save_run(path: Path, run: Run) -> None:
    """Replace the file at once, so that an interruption leaves a complete one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(run), encoding="utf-8")
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="embedded")
    parser.add_argument("--model", default="embedded/tiny")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--save-every", type=int, default=5)
    parser.add_argument("--stop-after", type=int, help="stop after this step, as if interrupted")
    parser.add_argument("--state", type=Path, default=Path("state"), help="the embedded backend's")
    parser.add_argument("--run-file", type=Path, default=Path("run.json"))
    parser.add_argument("--picture", type=Path, default=Path("resume.png"))
    args = parser.parse_args()

    run = load_run(args.run_file)
    with tinker.ServiceClient(base_url=args.base_url, embedded_dir=args.state) as service:
        if run["checkpoint"] is None:
            training = service.create_lora_training_client(args.model, rank=16, seed=0)
        else:
            training = service.create_training_client_from_state(run["checkpoint"])
            run["resumed_at"].append(len(run["losses"]))
            print(f"Resumed {run['checkpoint']} at step {len(run['losses'])}")
        tokens = training.get_tokenizer().encode(TEXT)
        data = [
            tinker.Datum(
                model_input=tinker.ModelInput.from_ints(tokens[:-1]),
                loss_fn_inputs={"target_tokens": tokens[1:]},
            )
        ]
        losses = list(run["losses"])
        for step in range(len(losses), args.steps):
            forward_backward = training.forward_backward(data, "cross_entropy")
            update = training.optim_step(tinker.AdamParams(learning_rate=2e-3))
            losses.append(forward_backward.result().metrics["loss:sum"] / (len(tokens) - 1))
            update.result()
            print(f"step {step:2}  loss {losses[-1]:.3f}")
            if (step + 1) % args.save_every == 0:
                saved = training.save_state(f"step-{step + 1}").result()
                run["checkpoint"], run["losses"] = saved.path, list(losses)
                save_run(args.run_file, run)
            if step == args.stop_after:
                print("Interrupted")
                return

    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError:
        print(f"No picture without matplotlib: {install_hint('plot')}")
        return
    plt.plot(losses)
    for step in run["resumed_at"]:
        plt.axvline(step, color="grey", linestyle="--", label="resumed")
    plt.xlabel("step")
    plt.ylabel("loss per token")
    plt.legend()
    plt.savefig(args.picture)


if __name__ == "__main__":
    main()
