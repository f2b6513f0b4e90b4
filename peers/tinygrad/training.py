"""A training step in tinygrad: forward, backward and update as one compiled program (TinyJit)."""

from __future__ import annotations

from types import ModuleType

import torch
from models import MODELS
from rules import Rule
from step import optimizer_of
from tinygrad import Tensor, TinyJit

Tensors = dict[str, Tensor]
REPLAYED = 3  # calls: the first runs, the second is recorded, the third replays


def placed(tensors: dict[str, torch.Tensor]) -> Tensors:
    """On the device, floats in f32."""
    return {name: Tensor((t.float() if t.is_floating_point() else t).numpy()).realize() for name, t in tensors.items()}


class Training:
    """A step of the model `twin` of `../pytorch/`, over one batch that stays on the device."""

    def __init__(
        self, workload: str, twin: ModuleType, params: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor],
        state: dict[str, torch.Tensor], steps: int,
    ) -> None:
        if workload not in MODELS:
            raise ValueError(f"{workload} is not written in tinygrad; there are: {', '.join(MODELS)}")
        self.forward = MODELS[workload].forward
        self.params, self.inputs = placed(params), placed(inputs)
        specs = twin.names("train")
        self.trained = {name: w for name, w in self.params.items() if specs[f"param/{name}"].trained}
        batch = next(iter(inputs.values())).shape[0]
        self.rule = Rule(optimizer_of(twin, batch), self.trained, placed(state), steps)
        self.step = TinyJit(self.whole)

    def evaluate(self, draws: Tensors) -> tuple[Tensors, Tensors]:
        outputs = self.forward(self.params, self.inputs, draws)
        gradients = outputs["loss"].gradient(*self.trained.values())
        return outputs, dict(zip(self.trained, gradients))

    def whole(self, **draws: Tensor) -> None:
        """A step; with no draws it makes its own."""
        outputs, gradients = self.evaluate(draws)
        assigned = self.rule.update(gradients)
        for name, value in outputs.items():
            if name.startswith("after/"):
                assigned.append(self.params[name.removeprefix("after/")].assign(value))
        Tensor.realize(outputs["loss"], *assigned)

    def computed(self, draws: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Outputs and gradients by these draws, of a compiled program that leaves the parameters as they are."""

        def both(**draws: Tensor) -> Tensors:
            outputs, gradients = self.evaluate(draws)
            found = {f"output/{name}": value for name, value in outputs.items() if not name.startswith("after/")}
            found |= {f"grad/{name}": value for name, value in gradients.items()}
            Tensor.realize(*found.values())
            return found

        compiled, draws = TinyJit(both), placed(draws)
        for _ in range(REPLAYED):
            found = compiled(**draws)
        return {name: torch.from_numpy(value.numpy().copy()) for name, value in found.items()}
