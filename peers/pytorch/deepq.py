"""A deep Q-network (Mnih 2015): three convolutions and two dense layers over stacks of four frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from image import conv, dense
from image import initial as image_initial
from layout import Sizes, Spec, floats, integers, layers
from optim import CentredRMSProp

OPTIMIZER = CentredRMSProp(rate=2.5e-4, rho=0.95, epsilon=0.01)

PERIOD = 10_000  # updates from one copy of the target network to the next
DISCOUNT = 0.99

SIZES = {
    "full": dict(batch=32, c1=32, c2=64, c3=64, features=3136, fc4=512, actions=4),
    "tiny": dict(batch=8, c1=8, c2=16, c3=16, features=784, fc4=64, actions=4),
}


def names(mode: str) -> dict[str, Spec]:
    weights = {
        "conv1": "8 8 4 c1", "conv2": "4 4 c1 c2", "conv3": "3 3 c2 c3", "fc4": "features fc4", "fc5": "fc4 actions",
    }
    specs = layers(weights) | {"input/state": integers("batch 84 84 4"), "output/q": floats("batch actions")}
    inputs = {
        "input/action": integers("batch"),
        "input/reward": floats("batch"),
        "input/terminal": floats("batch"),
        "input/next_state": integers("batch 84 84 4"),
    }
    if mode == "infer":
        unread = {name: spec._replace(optional=True) for name, spec in inputs.items()}
        return specs | unread | {"output/action": integers("batch")}
    targets = {name: spec._replace(trained=False) for name, spec in layers(weights, "param/target/").items()}
    return specs | targets | inputs | {"output/loss": floats("")}


def network(p: dict[str, Tensor], state: Tensor, prefix: str = "") -> Tensor:
    """Q of every action (Methods, "Model architecture")."""
    p = {name.removeprefix(prefix): w for name, w in p.items() if name.startswith(prefix)}
    h = state.to(p["fc5.bias"].dtype) / 255
    for layer, stride in [("conv1", 4), ("conv2", 2), ("conv3", 1)]:
        h = torch.relu(conv(h, p[f"{layer}.weight"], stride=stride) + p[f"{layer}.bias"])
    return dense(p, torch.relu(dense(p, h.flatten(1), "fc4")), "fc5")


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    q = network(p, inputs["state"])
    outputs = {"q": q}
    if mode == "infer":
        return outputs | discrete(outputs, inputs)
    # Algorithm 1: what the action was worth, by the target network.
    best = network(p, inputs["next_state"], "target/").max(1).values
    worth = inputs["reward"] + (1 - inputs["terminal"]) * DISCOUNT * best
    taken = q.gather(1, inputs["action"].long()[:, None])[:, 0]
    return outputs | {"loss": F.huber_loss(taken, worth)}


def discrete(outputs: dict[str, Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"action": outputs["q"].argmax(1).int()}


def follow(params: dict[str, Tensor], after: dict[str, Tensor], step: int) -> dict[str, Tensor]:
    """The target network after update number `step + 1`."""
    due = (step + 1) % PERIOD == 0
    targets = [name for name in params if name.startswith("target/")]
    return {name: after[name.removeprefix("target/")] if due else params[name] for name in targets}


initial = image_initial


def example(sizes: Sizes, generator: Generator) -> dict[str, Tensor]:
    """Noise; rewards that leave the middle of Huber's loss."""
    batch = sizes["batch"]

    def frames() -> Tensor:
        return torch.randint(0, 256, (batch, 84, 84, 4), generator=generator).to(torch.uint8)

    return {
        "state": frames(),
        "action": torch.randint(0, sizes["actions"], (batch,), generator=generator).int(),
        "reward": 3 * torch.randn(batch, generator=generator),
        "terminal": (torch.arange(batch) % 3 == 1).float(),
        "next_state": frames(),
    }


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    return {}
