"""The optimisers, as the formulas stand in the papers.

`apply` clips, adds the weight decay and updates every parameter; nothing is changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    rate: float
    clip: float | None = None  # largest norm of all gradients together
    decay: float = 0.0  # on weights only
    slots: ClassVar[tuple[str, ...]] = ()  # state of each parameter, zero at first
    counts: ClassVar[bool] = False  # needs the number of the step

    def update(self, w: Tensor, g: Tensor, state: Tensors, step: int) -> tuple[Tensor, Tensors]:
        """The new parameter and its new state; `step` updates were made before."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """w -= rate g"""

    def update(self, w, g, state, step):
        return w - self.rate * g, {}


@dataclass(frozen=True, kw_only=True)
class Momentum(Optimizer):
    """v = mu v + g; w -= rate v"""

    momentum: float
    slots = ("velocity",)

    def update(self, w, g, state, step):
        v = self.momentum * state["velocity"] + g
        return w - self.rate * v, {"velocity": v}


@dataclass(frozen=True, kw_only=True)
class Nesterov(Optimizer):
    """v = mu v + g; w -= rate (g + mu v)"""

    momentum: float
    slots = ("velocity",)

    def update(self, w, g, state, step):
        v = self.momentum * state["velocity"] + g
        return w - self.rate * (g + self.momentum * v), {"velocity": v}


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Kingma & Ba 2015, algorithm 1: bias-corrected, epsilon outside the root."""

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots = ("m", "v")
    counts = True

    def update(self, w, g, state, step):
        t = step + 1
        m = self.beta1 * state["m"] + (1 - self.beta1) * g
        v = self.beta2 * state["v"] + (1 - self.beta2) * g**2
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        return w - self.rate * m_hat / (torch.sqrt(v_hat) + self.epsilon), {"m": m, "v": v}


@dataclass(frozen=True, kw_only=True)
class CentredRMSProp(Optimizer):
    """a = rho a + (1 - rho) g; s = rho s + (1 - rho) g^2; w -= rate g / sqrt(s - a^2 + epsilon)"""

    rho: float
    epsilon: float
    slots = ("mean", "square")

    def update(self, w, g, state, step):
        a = self.rho * state["mean"] + (1 - self.rho) * g
        s = self.rho * state["square"] + (1 - self.rho) * g**2
        return w - self.rate * g / torch.sqrt(s - a**2 + self.epsilon), {"mean": a, "square": s}


def clip_factor(gradients: Tensors, limit: float | None) -> float:
    """min(1, limit / |g|) over all gradients together."""
    if limit is None:
        return 1.0
    norm = torch.sqrt(sum((g**2).sum() for g in gradients.values())).item()
    return min(1.0, limit / norm) if norm > 0 else 1.0


def apply(
    optimizer: Optimizer, params: Tensors, gradients: Tensors, state: Tensors, step: int
) -> tuple[Tensors, Tensors]:
    """The parameters after the update, and the state after it.

    State is named `PARAMETER.slot`; what is absent is zero.
    """
    factor = clip_factor(gradients, optimizer.clip)
    after, new_state = {}, {}
    for name, w in params.items():
        g = factor * gradients[name]
        if name.endswith("weight"):
            g = g + optimizer.decay * w
        slots = {slot: state.get(f"{name}.{slot}", torch.zeros_like(w)) for slot in optimizer.slots}
        after[name], slots = optimizer.update(w, g, slots, step)
        new_state |= {f"{name}.{slot}": value for slot, value in slots.items()}
    return after, new_state
