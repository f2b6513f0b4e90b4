"""The optimisers as fathom defines them. Each takes a parameter, its gradient after clipping and its state
by name, and returns the new parameter; the state is changed in place."""

from __future__ import annotations

from dataclasses import dataclass

import torch

State = dict[str, torch.Tensor]


def clip_factor(gradients: list[torch.Tensor], limit: float | None) -> float:
    """min(1, limit / |g|) over all gradients together."""
    if limit is None:
        return 1.0
    norm = torch.sqrt(sum((g * g).sum() for g in gradients)).item()
    return min(1.0, limit / norm) if norm > 0 else 1.0


@dataclass
class Nesterov:
    """v = mu v + g'; w -= rate (g' + mu v), with g' = g + decay w on weights."""

    rate: float
    momentum: float
    decay: float = 0.0
    clip: float | None = None
    state = ("velocity",)

    def update(self, name: str, w, g, state: State, step: int):
        if name.endswith("weight"):
            g = g + self.decay * w
        v = self.momentum * state["velocity"] + g
        return w - self.rate * (g + self.momentum * v)


@dataclass
class Adam:
    """Kingma & Ba 2015, algorithm 1."""

    rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    clip: float | None = None
    state = ("m", "v")

    def update(self, name: str, w, g, state: State, step: int):
        t = step + 1
        m = self.beta1 * state["m"] + (1 - self.beta1) * g
        v = self.beta2 * state["v"] + (1 - self.beta2) * g * g
        m_hat = m / (1 - self.beta1**t)
        v_hat = v / (1 - self.beta2**t)
        return w - self.rate * m_hat / (torch.sqrt(v_hat) + self.epsilon)
