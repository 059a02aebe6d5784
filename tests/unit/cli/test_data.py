"""`tinker-ext data preview`: tokens and their weights, with and without colors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tinker_ext.cli.main import program

CONVERSATION = {
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello\n\x1b[2Jyou"},
    ]
}


def preview(tmp_path: Path, *options: str) -> str:
    file = tmp_path / "train.jsonl"
    file.write_text("\n".join([json.dumps(CONVERSATION)] * 4))
    arguments = [*options, "data", "preview", str(file), "--model", "embedded/tiny"]
    result = CliRunner().invoke(program, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_trained_tokens_are_marked_without_colors(tmp_path: Path) -> None:
    text = preview(tmp_path)
    assert "train.jsonl line 1: " in text
    assert "line 3: " in text
    assert "line 4: " not in text, "--limit is 3"
    assert "Assistant:⟦ Hello⏎\n\\x1b[2Jyou<|end|>⟧\n" in text


def test_trained_tokens_are_colored_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = preview(tmp_path)
    assert "⟦" not in text
    assert "\x1b[2J" not in text, "control characters of the data are escaped"
    assert text.count("\x1b[30;42m") + text.count("\x1b[30;102m") == 3 * len(" Hello\n.[2Jyou.")


def test_json_has_the_weight_of_each_token(tmp_path: Path) -> None:
    conversations = json.loads(preview(tmp_path, "-f", "json"))["conversations"]
    tokens = conversations[0]["tokens"]
    assert "".join(token["text"] for token in tokens if token["weight"]) == (
        " Hello\n\x1b[2Jyou<|end|>"
    )
    assert conversations[0]["trained"] == sum(token["weight"] for token in tokens)


def test_missing_tokenizer_names_the_option(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps(CONVERSATION))
    # A folder needs no hub, and this one has no tokenizer.
    arguments = ["data", "preview", str(file), "--model", "org/model", "--tokenizer", str(tmp_path)]
    result = CliRunner().invoke(program, arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: No tokenizer for org/model. Tried: {tmp_path} (")
    assert "with --tokenizer;" in result.stderr
    assert "get_tokenizer" not in result.stderr
