"""A variational autoencoder (Kingma & Welling 2014)."""

from __future__ import annotations

from tinygrad import Tensor

from .layers import Tensors, dense


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    image = inputs["image"]
    # Encoder: q(z | x), a Gaussian with a diagonal covariance (appendix C.2).
    h = dense(p, image, "encoder.hidden").tanh()
    mean = dense(p, h, "encoder.mean")
    logvar = dense(p, h, "encoder.logvar")

    # The reparameterised sample (section 2.4).
    eps = draws["eps"] if draws else Tensor.randn(*mean.shape)
    z = mean + (logvar / 2).exp() * eps

    # Decoder: p(x | z), a Bernoulli for each pixel (appendix C.1).
    logits = dense(p, dense(p, z, "decoder.hidden").tanh(), "decoder.output")

    # The negative lower bound (eq. 10), mean over the batch.
    reconstruction = logits.binary_crossentropy_logits(image, reduction="none").sum(1)
    divergence = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum(1)
    return {"mean": mean, "logvar": logvar, "logits": logits, "loss": (reconstruction + divergence).mean()}
