"""A deep Q-network (Mnih 2015). The target network stays as it is: one update of ten thousand copies to it."""

from __future__ import annotations

from tinygrad import Tensor

from .layers import Tensors, conv, dense

DISCOUNT = 0.99


def network(p: Tensors, state: Tensor, prefix: str = "") -> Tensor:
    """Q of every action (Methods, "Model architecture")."""
    h = state.float() / 255
    for layer, stride in [("conv1", 4), ("conv2", 2), ("conv3", 1)]:
        layer = prefix + layer
        h = (conv(h, p[f"{layer}.weight"], stride=stride) + p[f"{layer}.bias"]).relu()
    return dense(p, dense(p, h.flatten(1), f"{prefix}fc4").relu(), f"{prefix}fc5")


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    q = network(p, inputs["state"])
    # Algorithm 1: what the action was worth, by the target network.
    best = network(p, inputs["next_state"], "target/").max(1)
    worth = inputs["reward"] + (1 - inputs["terminal"]) * DISCOUNT * best
    taken = q.gather(1, inputs["action"][:, None])[:, 0]
    # Huber's loss.
    off = (taken - worth.detach()).abs()
    return {"q": q, "loss": (off <= 1).where(0.5 * off.square(), off - 0.5).mean()}
