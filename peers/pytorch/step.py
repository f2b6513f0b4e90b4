"""One step of any model: outputs, gradients by autograd, clipping, the update.

A model is a module with

- `OPTIMIZER`, and `SIZES`: dimensions by name of each preset;
- `names(mode)`: the Spec of every tensor under param/, input/, random/ and output/;
- `forward(params, inputs, draws, mode)`: the outputs by name, in training the `loss` among them, and as
  `after/NAME` what running statistics become; with no draws it makes its own, as a training script would;
- `initial(name, shape, generator)`, `example(sizes, generator)` and `draws(sizes, mode, generator)`:
  parameters, inputs and random draws where there is no snapshot;
- `discrete(outputs, inputs)`, where outputs are decided by comparing others: the decisions alone;
- `shortfall(params, inputs, given)`, where each decision depends on those before it, and what was compared is no
  output: how far those given are below the best, of the largest magnitude that was compared;
- `optimizer(batch)`, where its settings depend on the batch;
- `follow(params, after, step)`, where parameters that are not trained follow those that are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

import alexnet
import autoenc
import deepq
import memnet
import residual
import seq2seq
import speech
import vgg
from layout import Sizes, Spec, bind, floats, parts, shape_of
from optim import Optimizer, apply
from snapshot import Snapshot, SnapshotError, grouped, read

MODELS: dict[str, ModuleType] = {
    "alexnet": alexnet, "autoenc": autoenc, "deepq": deepq, "memnet": memnet, "residual": residual,
    "seq2seq": seq2seq, "speech": speech, "vgg": vgg,
}


def model_of(workload: str) -> ModuleType:
    if workload not in MODELS:
        raise SnapshotError(f"no model for workload '{workload}'; there are: {', '.join(MODELS)}")
    return MODELS[workload]


def expected(model: ModuleType, snapshot: Snapshot) -> dict[str, Spec]:
    """Every tensor that the snapshot must hold."""
    specs = model.names(snapshot.mode)
    if snapshot.mode == "infer":
        return specs
    params = {name.removeprefix("param/"): spec for name, spec in specs.items() if name.startswith("param/")}
    trained = {name: spec for name, spec in params.items() if spec.trained}
    specs |= grouped("grad", trained) | grouped("after", params)
    # Before the first step the state is zero and may be left out, but only as a whole.
    first = snapshot.config.get("skip", 0) == 0 and not any(n.startswith("state/") for n in snapshot.tensors)
    for slot in model.OPTIMIZER.slots:
        specs |= {f"state/{name}.{slot}": spec._replace(optional=first) for name, spec in trained.items()}
    return specs | {"state/step": floats("")._replace(optional=first or not model.OPTIMIZER.counts)}


def inputs_of(snapshot: Snapshot, specs: dict[str, Spec], sizes: Sizes) -> dict[str, Tensor]:
    """The inputs; one left out, of which an inference step reads at most the shape, as zeros if that is known."""
    inputs = snapshot.group("input")
    for name, spec in specs.items():
        group, _, name = name.partition("/")
        if group == "input" and name not in inputs and all(d in sizes for _, d in map(parts, spec.dims.split()) if d):
            inputs[name] = torch.zeros(shape_of(spec, sizes), dtype=torch.int32 if spec.integer else torch.float64)
    return inputs


def opened(path: Path) -> tuple[Snapshot, ModuleType, dict[str, Tensor]]:
    """A snapshot with all that it must hold, its model and its inputs."""
    snapshot = read(path)
    model = model_of(snapshot.workload)
    specs = expected(model, snapshot)
    sizes, problems = bind(specs, snapshot.tensors)
    if problems:
        raise ValueError(f"{problems[0].name}: {problems[0].text}")
    return snapshot, model, inputs_of(snapshot, specs, sizes)


def evaluate(
    model: ModuleType, params: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str,
    forward: Callable[..., dict[str, Tensor]] | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The outputs, and in training the gradients, before clipping and weight decay, by the model's forward pass or another
    form of it."""
    specs = model.names(mode)
    trained = [name for name in params if mode == "train" and specs[f"param/{name}"].trained]
    leaves = {name: w.detach().clone().requires_grad_(name in trained) for name, w in params.items()}
    outputs = (forward or model.forward)(leaves, inputs, draws, mode)
    gradients = {}
    if mode == "train":
        gradients = dict(zip(trained, torch.autograd.grad(outputs["loss"], [leaves[name] for name in trained])))
    return {name: value.detach() for name, value in outputs.items()}, gradients


def optimizer_of(model: ModuleType, batch: int) -> Optimizer:
    return model.optimizer(batch) if hasattr(model, "optimizer") else model.OPTIMIZER


def update(
    model: ModuleType, params: dict[str, Tensor], inputs: dict[str, Tensor], outputs: dict[str, Tensor],
    gradients: dict[str, Tensor], state: dict[str, Tensor], step: int,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """All parameters after the step, and the optimiser's state after it."""
    batch = next(iter(inputs.values())).shape[0]
    trained = {name: params[name] for name in gradients}
    after, state = apply(optimizer_of(model, batch), trained, gradients, state, step)
    after |= {name.removeprefix("after/"): value for name, value in outputs.items() if name.startswith("after/")}
    if hasattr(model, "follow"):
        after |= model.follow(params, after, step)
    return after, state


def repeat(snapshot: Snapshot) -> dict[str, Tensor]:
    """output/, grad/ and after/ in f64, from the snapshot's parameters, inputs, draws and state."""
    model = model_of(snapshot.workload)
    specs = expected(model, snapshot)
    sizes, problems = bind(specs, snapshot.tensors)
    for problem in problems:
        if problem.blocks:
            raise SnapshotError(f"{problem.name}: {problem.verdict.lower()}: {problem.text}")
    params, inputs = snapshot.group("param"), inputs_of(snapshot, specs, sizes)
    outputs, gradients = evaluate(model, params, inputs, snapshot.group("random"), snapshot.mode)
    results = grouped("output", {name: value for name, value in outputs.items() if not name.startswith("after/")})
    if snapshot.mode == "train":
        after, _ = update(model, params, inputs, outputs, gradients, snapshot.group("state"), snapshot.step)
        results |= grouped("grad", gradients) | grouped("after", after)
    return results
