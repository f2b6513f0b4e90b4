#!/usr/bin/env python3
"""Times a PyTorch step in strict f32 (TF32 off, eager, cudnn.benchmark on): the yardstick for speed. JSON."""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from optim import clip_factor
from step import MODELS, model_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", choices=MODELS, required=True)
    parser.add_argument("--mode", choices=("train", "infer"), default="train")
    parser.add_argument("--preset", choices=("full", "tiny"), default="full")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True

    model = model_of(arguments.workload)
    size = dict(model.SIZES[arguments.preset])
    size["batch"] = arguments.batch or size["batch"]
    moved = [{k: v.to(arguments.device) for k, v in part.items()} for part in model.example(size, arguments.mode)]
    p, inputs, random = moved
    names = list(p)
    optimizer = model.OPTIMIZER
    state = {n: {kind: torch.zeros_like(p[n]) for kind in optimizer.state} for n in names}

    def step(number: int) -> None:
        if arguments.mode == "infer":
            with torch.no_grad():
                model.forward(p, inputs, random, "infer")
            return
        leaves = {n: w.detach().requires_grad_() for n, w in p.items()}
        loss = model.forward(leaves, inputs, random, "train")["loss"]
        gradients = torch.autograd.grad(loss, [leaves[n] for n in names])
        with torch.no_grad():
            factor = clip_factor(list(gradients), optimizer.clip)
            for n, g in zip(names, gradients):
                p[n] = optimizer.update(n, leaves[n].detach(), factor * g, state[n], number)

    def wait() -> None:
        if arguments.device.startswith("cuda"):
            torch.cuda.synchronize()

    times = []
    for number in range(arguments.steps + 3):
        wait()
        begun = time.perf_counter()
        step(number)
        wait()
        if number >= 3:
            times.append(time.perf_counter() - begun)
    print(json.dumps({
        "framework": f"torch {torch.__version__}", "workload": arguments.workload, "mode": arguments.mode,
        "preset": arguments.preset, "batch": size["batch"], "device": arguments.device,
        "step_ns": round(statistics.median(times) * 1e9), "steps": len(times),
    }))


if __name__ == "__main__":
    main()
