"""One step in f64, whatever the model: outputs, gradients by autograd, clipping, the update."""

from __future__ import annotations

import importlib

import torch

from optim import clip_factor
from snapshot import Snapshot

MODELS = ("speech", "autoenc")


def model_of(workload: str):
    if workload not in MODELS:
        raise SystemExit(f"no model for workload '{workload}'; there are: {', '.join(MODELS)}")
    return importlib.import_module(workload)


def repeat(snapshot: Snapshot) -> dict[str, dict[str, torch.Tensor]]:
    """The groups output, grad and after, from the snapshot's parameters, inputs and draws alone."""
    model = model_of(snapshot.config["workload"])
    mode = snapshot.config["mode"]
    p = {name: w.clone().requires_grad_(mode == "train") for name, w in snapshot.group("param").items()}
    outputs = model.forward(p, snapshot.group("input"), snapshot.group("random"), mode)
    results = {"output": {name: value.detach() for name, value in outputs.items()}}
    if mode != "train":
        return results
    names = list(p)
    gradients = dict(zip(names, torch.autograd.grad(outputs["loss"], [p[n] for n in names])))
    optimizer = model.OPTIMIZER
    factor = clip_factor(list(gradients.values()), optimizer.clip)
    after = {}
    for name in names:
        stored = snapshot.group("state")
        zero = torch.zeros_like(p[name])
        state = {kind: stored.get(f"{name}.{kind}", zero) for kind in optimizer.state}
        w, g = p[name].detach(), factor * gradients[name]
        after[name] = optimizer.update(name, w, g, state, snapshot.step)
    results["grad"] = gradients
    results["after"] = after
    return results
