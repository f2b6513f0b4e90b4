#!/usr/bin/env python3
"""Makes a snapshot from PyTorch alone, with random parameters, inputs and draws: computed in f64, stored in
f32. Any size can be set, so that a snapshot fits into a repository."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from layout import Sizes, shape_of
from snapshot import SCHEMA, Snapshot, grouped, stored, write
from step import MODELS, evaluate, repeat, update


def make(workload: str, mode: str, sizes: Sizes, seed: int, skip: int = 0) -> Snapshot:
    """A step after `skip` others, each with a batch of its own."""
    model = MODELS[workload]
    generator = torch.Generator().manual_seed(seed)

    def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What a reader of the file sees, in f64: the step must start from the stored values."""
        return {n: stored(t).double() if t.is_floating_point() else stored(t) for n, t in tensors.items()}

    specs = {n.removeprefix("param/"): s for n, s in model.names(mode).items() if n.startswith("param/")}
    params = rounded({n: model.initial(n, shape_of(s, sizes), generator) for n, s in specs.items()})
    trained = {n: w for n, w in params.items() if specs[n].trained}
    state = {f"{n}.{slot}": torch.zeros_like(w) for n, w in trained.items() for slot in model.OPTIMIZER.slots}
    for step in range(skip + 1):
        inputs = rounded(model.example(sizes, generator))
        draws = rounded(model.draws(sizes, mode, generator))
        if step < skip and mode == "train":
            outputs, gradients = evaluate(model, params, inputs, draws, mode)
            params, state = update(model, params, inputs, outputs, gradients, state, step)
    params, state = rounded(params), rounded(state)

    tensors = grouped("param", params) | grouped("input", inputs) | grouped("random", draws)
    if mode == "train":
        tensors |= grouped("state", state | {"step": torch.tensor([skip])})
    config = {"schema": SCHEMA, "workload": workload, "mode": mode, "seed": seed, "skip": skip, **sizes,
              "device": f"PyTorch {torch.__version__}, f64"}
    start = {name: stored(tensor) for name, tensor in tensors.items()}
    results = repeat(Snapshot(start, config))
    return Snapshot(start | {name: stored(tensor) for name, tensor in results.items()}, config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-w", "--workload", choices=MODELS, required=True)
    parser.add_argument("-m", "--mode", choices=("train", "infer"), default="train")
    parser.add_argument("--preset", choices=("tiny", "full"), default="tiny")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="steps before the one that is written")
    parser.add_argument("--out", type=Path, required=True, metavar="F.safetensors")
    sizes = parser.add_argument_group("sizes, instead of the preset's")
    for name in sorted({name for model in MODELS.values() for name in model.SIZES["tiny"]}):
        sizes.add_argument(f"--{name}", type=int, metavar="N")
    arguments = parser.parse_args()
    chosen = dict(MODELS[arguments.workload].SIZES[arguments.preset])
    for name in {name for model in MODELS.values() for name in model.SIZES["tiny"]}:
        value = getattr(arguments, name)
        if value is None:
            continue
        if name not in chosen:
            parser.error(f"{arguments.workload} has no size '{name}'; there are: {', '.join(chosen)}")
        if value < 1:
            parser.error(f"--{name} must be at least 1")
        chosen[name] = value
    write(arguments.out, make(arguments.workload, arguments.mode, chosen, arguments.seed, arguments.skip))


if __name__ == "__main__":
    main()
