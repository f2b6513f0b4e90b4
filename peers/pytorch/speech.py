"""Deep Speech (Hannun 2014): three dense layers, a bidirectional plain recurrence, a dense layer, CTC.

The sections and equations are the paper's. B utterances, T frames, H units.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from layout import Sizes, Spec, floats, integers, layers
from optim import Nesterov

OPTIMIZER = Nesterov(rate=1e-4, momentum=0.99, clip=100.0)
DROPOUT = 0.05
DROPPED = ["dense1", "dense2", "dense3", "dense5"]

SIZES = {
    "full": dict(batch=32, time=783, features=494, hidden=2048, classes=62, labels=80),
    "tiny": dict(batch=4, time=64, features=130, hidden=64, classes=62, labels=16),
}


def names(mode: str) -> dict[str, Spec]:
    specs = layers({
        "dense1": "features hidden",
        "dense2": "hidden hidden",
        "dense3": "hidden hidden",
        "recurrent.input": "hidden hidden",
        "dense5": "hidden hidden",
        "output": "hidden classes",
    })
    specs["param/recurrent.forward"] = floats("hidden hidden")
    specs["param/recurrent.backward"] = floats("hidden hidden")
    specs["input/features"] = floats("batch time features")
    specs["input/frames"] = integers("batch")
    specs["input/labels"] = integers("batch labels")
    specs["input/label_lengths"] = integers("batch")
    specs["output/log_probs"] = floats("batch time classes")
    if mode == "train":
        specs |= {f"random/{layer}.dropout": floats("batch time hidden") for layer in DROPPED}
        specs["output/loss"] = floats("")
    else:
        for name in ("input/labels", "input/label_lengths"):
            specs[name] = specs[name]._replace(optional=True)
        specs["output/decoded"] = integers("batch time")
    return specs


def clipped_relu(x: Tensor) -> Tensor:
    """min(max(x, 0), 20); the gradient is 0 at both corners."""
    return F.hardtanh(x, 0.0, 20.0)


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    def dense(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def layer(x: Tensor, name: str) -> Tensor:
        """Equation 1, with the dropout of section 2.1."""
        h = clipped_relu(dense(x, name))
        if mode == "infer":
            return h
        if not draws:
            return F.dropout(h, DROPOUT)
        return h * draws[f"{name}.dropout"] / (1 - DROPOUT)

    features, frames = inputs["features"], inputs["frames"].long()
    inside = torch.arange(features.shape[1], device=features.device) < frames[:, None]  # [B, T]

    # Layers 1 to 3 see one frame with its context each.
    h = features
    for name in ("dense1", "dense2", "dense3"):
        h = layer(h, name)

    # Layer 4 is recurrent, in both directions over one input product (eq. 2 and 3).
    x = dense(h, "recurrent.input")
    past = recurrence(x, p["recurrent.forward"], inside, reverse=False)
    future = recurrence(x, p["recurrent.backward"], inside, reverse=True)

    # Layer 5 sees both; then a softmax over the labels and the blank, which is the last class (eq. 4).
    h = layer(past + future, "dense5")
    log_probs = F.log_softmax(dense(h, "output"), dim=-1)

    outputs = {"log_probs": log_probs}
    if mode == "train":
        outputs["loss"] = ctc(log_probs, inputs).mean()
    else:
        outputs |= discrete(outputs, inputs)
    return outputs


def recurrence(x: Tensor, weight: Tensor, inside: Tensor, reverse: bool) -> Tensor:
    """h[t] = r(x[t] + h[t - 1] weight), or of h[t + 1] in reverse, over x [B, T, H].

    An input of minus infinity gives 0 whatever came before: so past an utterance's end, and the reverse
    direction starts at its last frame.
    """
    steps = x.masked_fill(~inside[..., None], -torch.inf).unbind(1)
    h = torch.zeros_like(x[:, 0])
    states = []
    for step in reversed(steps) if reverse else steps:
        h = clipped_relu(torch.addmm(step, h, weight))
        states.append(h)
    return torch.stack(states[::-1] if reverse else states, dim=1)


def ctc(log_probs: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """-ln p(labels | features) of each utterance (Graves 2006)."""
    blank = log_probs.shape[-1] - 1
    labels = inputs["labels"].long().clamp(0, blank - 1)  # padding may be any number
    frames, lengths = inputs["frames"].long(), inputs["label_lengths"].long()
    return F.ctc_loss(log_probs.transpose(0, 1), labels, frames, lengths, blank=blank, reduction="none")


def discrete(outputs: dict[str, Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    """The best path (Graves 2006, section 3.2): repeats merged, blanks dropped, the rest -1."""
    log_probs = outputs["log_probs"]
    batch, time, classes = log_probs.shape
    best = log_probs.argmax(-1)
    before = F.pad(best, (1, 0), value=-1)[:, :-1]
    inside = torch.arange(time, device=best.device) < inputs["frames"][:, None]
    kept = inside & (best != before) & (best != classes - 1)
    place = torch.where(kept, kept.long().cumsum(1) - 1, time)  # the rest goes into a column behind the last
    decoded = torch.full((batch, time + 1), -1, dtype=torch.int64, device=best.device)
    return {"decoded": decoded.scatter(1, place, best)[:, :time].int()}


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    if name.endswith("bias"):
        std = 0.1  # not 0: a bias left out must show
    elif name.endswith("weight"):
        std = (2 / shape[0]) ** 0.5
    else:
        std = shape[0] ** -0.5
    return std * torch.randn(shape, generator=generator)


def example(sizes: Sizes, generator: Generator) -> dict[str, Tensor]:
    """Noise with some loud frames, which reach the rectifier's clip; lengths that CTC can align."""
    batch, time, features = sizes["batch"], sizes["time"], sizes["features"]

    def uniform(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high + 1, shape, generator=generator).int()

    loud = torch.rand(batch, time, 1, generator=generator) < 0.1
    frames = uniform((time + 1) // 2, time, batch)
    frames[0] = time
    labels = uniform(0, sizes["classes"] - 2, batch, sizes["labels"])
    labels[:, 1:2] = labels[:, :1]  # a repeated label needs a blank between
    lengths = uniform(0, sizes["labels"], batch)
    lengths[0] = sizes["labels"]
    return {
        "features": torch.randn(batch, time, features, generator=generator) * torch.where(loud, 30.0, 1.0),
        "frames": frames,
        "labels": labels,
        "label_lengths": torch.minimum(lengths, frames // 2),  # room even if each label repeats the last
    }


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    if mode == "infer":
        return {}
    shape = (sizes["batch"], sizes["time"], sizes["hidden"])
    return {f"{layer}.dropout": (torch.rand(shape, generator=generator) >= DROPOUT).float() for layer in DROPPED}
