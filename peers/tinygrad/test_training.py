#!/usr/bin/env python3
"""The tests of how tinygrad trains. They need PyTorch and tinygrad, whose device that is written in Python needs no compiler."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["DEV"] = "PYTHON"
sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
import torch
from check import check
from make import make
from optim import SGD, Adam, CentredRMSProp, Momentum, Nesterov, apply
from rules import Rule
from runner import run_tests
from snapshot import Snapshot
from step import MODELS, evaluate, update
from tinygrad import Tensor
from training import Training, placed

BOUND = 1e-4  # of the largest value: that of check.py

RULES = (
    SGD(rate=0.1, clip=0.5), Momentum(rate=0.1, momentum=0.9, decay=0.2), Nesterov(rate=0.1, momentum=0.9, clip=100.0),
    Adam(rate=1e-2), CentredRMSProp(rate=0.1, rho=0.95, epsilon=0.01),
)


SIZES = {
    "autoenc": dict(batch=2, pixels=5, hidden=3, latent=2),
    "memnet": dict(batch=3, memory=4, sentence=3, dimension=4, vocabulary=6),
    "residual": dict(batch=2, size=8, classes=3, w1=2, w2=3, w3=2, w4=3),
    "seq2seq": dict(batch=2, source=2, target=3, hidden=2, source_vocabulary=6, target_vocabulary=7, samples=3),
    "speech": dict(batch=3, time=6, features=3, hidden=4, classes=4, labels=3),
}


def read(value: Tensor) -> torch.Tensor:
    return torch.from_numpy(value.numpy().copy()).double()


def off(given: torch.Tensor, wanted: torch.Tensor, before: torch.Tensor) -> float:
    """The largest error of an update, of the largest update; what one rounding to f32 of the parameter makes is allowed."""
    rounding = wanted.abs() * torch.finfo(torch.float32).eps
    error = ((given - wanted).abs() - rounding).clamp(min=0).max()
    return (error / (wanted - before).abs().max().clamp(min=1e-30)).item()


def test_every_rule_is_that_of_the_twins():
    generator = torch.Generator().manual_seed(1)

    def some() -> dict[str, torch.Tensor]:
        shapes = {"a.weight": (3, 4), "a.bias": (4,)}
        return {name: torch.randn(shape, generator=generator).float().double() for name, shape in shapes.items()}

    for rule in RULES:
        wanted, state = some(), {}
        params = placed(wanted)
        ours = Rule(rule, params, {}, 0)
        for step in range(3):
            gradients, before = some(), wanted
            wanted, state = apply(rule, wanted, gradients, state, step)
            Tensor.realize(*ours.update(placed(gradients)))
            for name, value in params.items():
                assert off(read(value), wanted[name], before[name]) < BOUND, (rule, step, name)


def test_a_step_gives_what_the_twin_gives():
    """Outputs and gradients by the rule of `check.py`; and, as there, what becomes of parameters by our own gradients."""
    for name, sizes in SIZES.items():
        # After two others, so that the state counts, and running statistics with it.
        step, twin = make(name, "train", sizes, seed=1, skip=2), MODELS[name]
        params, inputs, draws, state = (step.group(group) for group in ("param", "input", "random", "state"))
        training = Training(name, twin, params, inputs, state, step.step)
        found = training.computed(draws)
        rows = [row for row in check(Snapshot(step.tensors | found, step.config)) if row.name in found]
        # Norms over two values let no gradient through but what rounding makes: those are held against f64 by `run.py` alone.
        rows = [row for row in rows if name != "residual" or row.name.startswith("output/")]
        failed = [row for row in rows if row.failed]
        assert rows and not failed, (name, failed[:1])

        outputs, _ = evaluate(twin, params, inputs, draws, "train")
        gradients = {n.removeprefix("grad/"): g.double() for n, g in found.items() if n.startswith("grad/")}
        wanted, _ = update(twin, params, inputs, outputs, gradients, state, step.step)
        training.whole(**placed(draws))
        assert training.params.keys() == wanted.keys(), name
        for parameter, value in training.params.items():
            worst = off(read(value), wanted[parameter], params[parameter])
            assert worst < BOUND, (name, parameter, worst)


def test_a_compiled_step_goes_on_from_where_the_last_one_ended():
    """And draws anew: what is replayed must not be one step over and over."""
    step = make("autoenc", "train", SIZES["autoenc"], seed=1)
    training = Training("autoenc", MODELS["autoenc"], step.group("param"), step.group("input"), {}, 0)
    moments = []
    for _ in range(5):
        training.step()
        moments.append(read(training.rule.state["decoder.hidden.weight"]["m"]))
    changes = [(after - before).abs().max().item() for before, after in zip(moments, moments[1:])]
    assert min(changes) > 0, changes
    (base, power), _ = training.rule.bases
    assert abs(read(power).item() - base**5) < 1e-6, "five updates were made"


def test_a_model_that_is_not_there_is_refused_by_name():
    step = make("autoenc", "train", SIZES["autoenc"], seed=1)
    try:
        Training("chess", MODELS["autoenc"], step.group("param"), step.group("input"), {}, 0)
    except ValueError as why:
        assert str(why).startswith("chess is not written in tinygrad; there are: alexnet, "), why
    else:
        raise AssertionError("a model that is not there was trained")


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
