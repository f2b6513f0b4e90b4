"""A model's inference step as an ONNX file, for frameworks that read such."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from bench import start, trained_values
from step import opened

Tensors = dict[str, Tensor]


class Exported(torch.nn.Module):
    """The step with its parameters inside; of the values that are handed to it the last are the draws."""

    def __init__(self, model: ModuleType, params: Tensors, inputs: Tensors, draws: Tensors) -> None:
        super().__init__()
        self.model, self.params, self.inputs, self.draws = model, params, list(inputs), list(draws)
        for i, value in enumerate(params.values()):
            self.register_buffer(f"p{i}", value)

    def forward(self, *values: Tensor) -> list[Tensor]:
        params = {name: getattr(self, f"p{i}") for i, name in enumerate(self.params)}
        inputs, draws = dict(zip(self.inputs, values)), dict(zip(self.draws, values[len(self.inputs) :]))
        return list(self.model.forward(params, inputs, draws, "infer").values())


class Step:
    """An inference step in f32. What it draws (autoenc's noise) is handed to it: frameworks draw other numbers."""

    def __init__(self, model: ModuleType, params: Tensors, inputs: Tensors, draws: Tensors) -> None:
        self.model, self.params, self.inputs, self.draws = model, params, inputs, draws
        self.outputs = list(model.forward(params, inputs, draws, "infer"))

    @property
    def batch(self) -> int:
        return next(iter(self.inputs.values())).shape[0]

    @property
    def fed(self) -> Tensors:
        """Everything that is handed to the exported step, by name."""
        return self.inputs | self.draws

    @property
    def parameters(self) -> int:
        return trained_values(self.model, "infer", self.params)

    def export(self, path: Path) -> None:
        """By tracing: the newer exporter takes minutes for a recurrence over some dozen frames."""
        module = Exported(self.model, self.params, self.inputs, self.draws)
        warnings.simplefilter("ignore")
        torch.onnx.export(module, tuple(self.fed.values()), path, dynamo=False, input_names=list(self.fed),
                          output_names=self.outputs, opset_version=17)


def of_snapshot(path: Path) -> Step:
    """The step that a snapshot tells of."""
    snapshot, model, inputs = opened(path)

    def f32(tensors: Tensors) -> Tensors:
        return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}

    inputs, draws = f32(inputs), f32(snapshot.group("random"))
    return Step(model, f32(snapshot.group("param")), inputs, draws)


def of_preset(model: ModuleType, preset: str) -> Step:
    """A step of a size, with random values."""
    sizes = model.SIZES[preset]
    draws = model.draws(sizes, "infer", torch.Generator().manual_seed(1))
    return Step(model, *start(model, sizes, "infer", torch.device("cpu")), draws)
