"""A variational autoencoder (Kingma & Welling 2014): 784 - hidden - latent - hidden - 784."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from optim import Adam

OPTIMIZER = Adam(rate=1e-3)

LAYERS = ["encoder.hidden", "encoder.mean", "encoder.logvar", "decoder.hidden", "decoder.output"]
PARAMETERS = [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]
SIZES = {"full": dict(batch=128, hidden=500, latent=20), "tiny": dict(batch=8, hidden=64, latent=8)}


def randoms(mode: str) -> list[str]:
    return ["eps"]  # sampling runs in inference too


def forward(p, inputs, random, mode: str):
    """The outputs by name, and the loss in training."""

    def dense(x, name):
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    image = inputs["image"]
    h = torch.tanh(dense(image, "encoder.hidden"))
    mean = dense(h, "encoder.mean")
    logvar = dense(h, "encoder.logvar")
    z = mean + torch.exp(logvar / 2) * random["eps"]
    h = torch.tanh(dense(z, "decoder.hidden"))
    logits = dense(h, "decoder.output")
    outputs = {"mean": mean, "logvar": logvar, "logits": logits}
    if mode == "train":
        reconstruction = F.binary_cross_entropy_with_logits(logits, image, reduction="none").sum(1)
        kl = -0.5 * (1 + logvar - mean**2 - torch.exp(logvar)).sum(1)
        outputs["loss"] = (reconstruction + kl).mean()
    return outputs


def example(size, mode: str):
    """Random inputs and draws of a preset's size, for timing."""
    b, h, z = size["batch"], size["hidden"], size["latent"]
    shapes = {"encoder.hidden": (784, h), "encoder.mean": (h, z), "encoder.logvar": (h, z),
              "decoder.hidden": (z, h), "decoder.output": (h, 784)}
    p = {}
    for name, (rows, columns) in shapes.items():
        p[f"{name}.weight"] = torch.randn(rows, columns) / rows**0.5
        p[f"{name}.bias"] = torch.zeros(columns)
    return p, {"image": torch.rand(b, 784)}, {"eps": torch.randn(b, z)}
