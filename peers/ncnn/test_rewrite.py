#!/usr/bin/env python3
"""The tests of how models are rewritten for ncnn. They need PyTorch, and not ncnn."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path[1:1] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "pytorch")]
from export import of_preset
from rewrite import Rewrite
from runner import run_tests
from step import MODELS

IMAGES = {"alexnet": 2, "deepq": 0, "residual": 16, "vgg": 0}  # additions: normalisations' constants, shortcuts


def rewritten(name: str) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], torch.Graph]:
    """A model's outputs in floating point as the twin gives them, the same rewritten, and its graph."""
    model, step = MODELS[name], of_preset(MODELS[name], "tiny")
    wanted = model.forward(step.params, step.inputs, step.draws, "infer")
    wanted = {output: value for output, value in wanted.items() if value.is_floating_point()}
    # What a model compares is a number here; what it embeds stays an integer.
    inputs = step.inputs | ({"frames": step.inputs["frames"].float()} if name == "speech" else {})
    kept = getattr(model, "discrete", None)

    def forward(*values: torch.Tensor) -> list[torch.Tensor]:
        with Rewrite():
            made = model.forward(step.params, dict(zip(inputs, values)), step.draws, "infer")
        return [made[output] for output in wanted]

    try:
        if kept:
            model.discrete = lambda *_: {}
        traced = torch.jit.trace(forward, tuple(inputs.values()), check_trace=False)
        return wanted, dict(zip(wanted, traced(*inputs.values()))), traced.graph
    finally:
        if kept:
            model.discrete = kept


def test_a_rewritten_model_computes_the_same():
    for name in sorted(MODELS.keys() - {"seq2seq"}):
        wanted, given, _ = rewritten(name)
        for output, value in wanted.items():
            error = (given[output] - value).abs().max() / value.abs().max()
            assert given[output].shape == value.shape and error < 1e-5, (name, output, error)


def test_images_are_moved_once_and_back_and_no_bias_is_left_to_be_added():
    for name in IMAGES:
        graph = rewritten(name)[2]
        moved = [node for node in graph.findAllNodes("aten::permute") if of_data(node)]
        added = graph.findAllNodes("aten::add") + graph.findAllNodes("aten::add_")
        assert (len(moved), len(added)) == (2, IMAGES[name]), (name, len(moved), len(added))


def of_data(node: torch.Node) -> bool:
    """And not of a filter, which is a constant here."""
    return next(node.inputs()).node().kind() != "prim::Constant"


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
