"""A variational autoencoder (Kingma & Welling 2014): 784 - hidden - latent - hidden - 784."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from layout import Sizes, Spec, floats, layers
from optim import Adam

OPTIMIZER = Adam(rate=1e-3)

SIZES = {
    "full": dict(batch=128, pixels=784, hidden=500, latent=20),
    "tiny": dict(batch=8, pixels=784, hidden=64, latent=8),
}


def names(mode: str) -> dict[str, Spec]:
    specs = layers({
        "encoder.hidden": "pixels hidden",
        "encoder.mean": "hidden latent",
        "encoder.logvar": "hidden latent",
        "decoder.hidden": "latent hidden",
        "decoder.output": "hidden pixels",
    })
    specs["input/image"] = floats("batch pixels")
    specs["random/eps"] = floats("batch latent")  # sampling runs in inference too
    specs["output/mean"] = floats("batch latent")
    specs["output/logvar"] = floats("batch latent")
    specs["output/logits"] = floats("batch pixels")
    if mode == "train":
        specs["output/loss"] = floats("")
    return specs


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    def dense(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    image = inputs["image"]

    # Encoder: q(z | x), a Gaussian with a diagonal covariance (appendix C.2).
    h = torch.tanh(dense(image, "encoder.hidden"))
    mean = dense(h, "encoder.mean")
    logvar = dense(h, "encoder.logvar")

    # The reparameterised sample (section 2.4).
    eps = draws["eps"] if draws else torch.randn_like(mean)
    z = mean + torch.exp(logvar / 2) * eps

    # Decoder: p(x | z), a Bernoulli for each pixel (appendix C.1).
    h = torch.tanh(dense(z, "decoder.hidden"))
    logits = dense(h, "decoder.output")

    outputs = {"mean": mean, "logvar": logvar, "logits": logits}
    if mode == "train":
        # The negative lower bound (eq. 10), mean over the batch.
        reconstruction = F.binary_cross_entropy_with_logits(logits, image, reduction="none").sum(1)
        divergence = -0.5 * (1 + logvar - mean**2 - torch.exp(logvar)).sum(1)
        outputs["loss"] = (reconstruction + divergence).mean()
    return outputs


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    if name.endswith("bias"):
        return 0.1 * torch.randn(shape, generator=generator)  # not 0: a bias left out must show
    limit = (6 / sum(shape)) ** 0.5
    return limit * (2 * torch.rand(shape, generator=generator) - 1)


def example(sizes: Sizes, generator: Generator) -> dict[str, Tensor]:
    """Grey images, mostly black."""
    grey = torch.rand(sizes["batch"], sizes["pixels"], generator=generator)
    return {"image": (4 * grey - 3).clamp(min=0)}


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    return {"eps": torch.randn(sizes["batch"], sizes["latent"], generator=generator)}
