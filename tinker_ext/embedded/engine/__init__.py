"""The numerics of the embedded backend: a tiny transformer that really trains.

Pure numpy and HIPS autograd: no HTTP, no database, no network. This file imports nothing, so that
`threads.limit_blas_threads` can be called before numpy is imported.

    model.py         the base models by name, their shape and weights
    ops.py           the differentiable operations
    transformer.py   one forward pass, shared by training, scoring and sampling
    lora.py          adapters: target matrices, initialization, merging
    losses.py        cross_entropy, importance_sampling, ppo
    adam.py          the optimizer
    trainer.py       one fine-tuning run
    generate.py      batched sampling with a key-value cache
    scoring.py       log-probabilities of a given prompt
    text.py          the tokenizer
"""
