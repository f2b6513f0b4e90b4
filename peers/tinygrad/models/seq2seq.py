"""Translation with LSTMs (Sutskever 2014) and attention (Bahdanau 2015); training samples the softmax (Jean 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad import Tensor

from .layers import Tensors, dense

LAYERS = 3
OUT = -1e30  # a logit that no softmax sees: an infinite one has no gradient


def lstm(p: Tensors, layer: str, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """A layer's step over its input and state; gates are i, f, g, o."""
    i, f, g, o = dense(p, x.cat(h, dim=1), layer).chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    # Kept, as is the gradient that comes back: else tinygrad computes each step anew for every reader.
    return h.contiguous().contiguous_backward(), c.contiguous().contiguous_backward()


def decoder(p: Tensors, source: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that takes the next token of each sentence, and gives what the softmax sees.

    The source is read in reverse (Sutskever 2014, section 3.3); its padding is embedded like any word.
    """
    words = p["encoder.embedding"][source]
    zero = Tensor.zeros(words.shape[0], words.shape[2])
    h, c, top = [zero] * LAYERS, [zero] * LAYERS, []
    for t in reversed(range(source.shape[1])):
        x = words[:, t]
        for n in range(LAYERS):
            x, c[n] = lstm(p, f"encoder.lstm{n + 1}", x, h[n], c[n])
            h[n] = x
        top.append(x)
    memory = Tensor.stack(*top, dim=1)
    keys = (memory @ p["attention.memory"]).contiguous()
    context = zero

    def step(token: Tensor) -> Tensor:
        nonlocal context
        x = dense(p, p["decoder.embedding"][token].cat(context, dim=1), "decoder.input")
        for n in range(LAYERS):
            x, c[n] = lstm(p, f"decoder.lstm{n + 1}", x, h[n], c[n])
            h[n] = x
        # Bahdanau 2015, section 3.1: v tanh(W s + U h_j), over all positions, padding as well.
        states = [state for n in range(LAYERS) for state in (c[n], h[n])]
        query = dense(p, Tensor.cat(*states, dim=1), "attention.query")
        scores = ((keys + query[:, None]).tanh() * p["attention.v"]).sum(-1)
        context = (scores.softmax(1)[:, :, None] * memory).sum(1).contiguous().contiguous_backward()
        return dense(p, x.cat(context, dim=1), "decoder.output")

    return step


def log_probability(c: Tensor, vocabulary: int) -> Tensor:
    """ln P(c) of the log-uniform distribution: P(c) = ln((c + 2) / (c + 1)) / ln(V + 1).

    The quotient of a rare class is so near 1 that f32 has no digits of its logarithm left: it is 2 artanh(1 / (2c + 3)), by its
    series.
    """
    s = 1 / (2 * c.float() + 3)
    artanh = s * sum(s.square() ** k / (2 * k + 1) for k in range(1, 8)) + s
    return (2 * artanh / math.log(vocabulary + 1)).log()


def log_uniform(count: int, vocabulary: int) -> Tensor:
    """That many classes, with replacement: below c lies ln(c + 1) / ln(V + 1) of the distribution."""
    return ((Tensor.rand(count) * math.log(vocabulary + 1)).exp().int() - 1).clip(0, vocabulary - 1)


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    step, target = decoder(p, inputs["source"]), inputs["target"]
    out = Tensor.stack(*[step(target[:, t]) for t in range(target.shape[1])], dim=1)
    label = target[:, 1:].pad((None, (0, 1)))  # the last step has none, and no weight

    # -ln p(label) of each token, among the label and the sampled classes alone (Jean 2015, section 3).
    weight, bias = p["projection.weight"], p["projection.bias"]
    vocabulary = bias.shape[0]
    sampled = draws["sampled"] if draws else log_uniform(32 if vocabulary == 200 else 512, vocabulary)

    def corrected(logit: Tensor, c: Tensor) -> Tensor:
        return logit + bias[c] - math.log(sampled.shape[0]) - log_probability(c, vocabulary)

    true = corrected((out * weight[label]).sum(-1), label)[..., None]
    others = corrected(out @ weight[sampled].T, sampled)
    others = (sampled == label[..., None]).where(OUT, others)
    losses = -true.cat(others, dim=-1).log_softmax(-1)[..., 0]

    # The mean over a sentence's tokens, then over the sentences.
    given = inputs["target_weight"]
    tokens = given.sum(1)
    loss = (losses * given).sum(1) / (tokens > 0).where(tokens, 1.0)
    return {"decoder": out, "loss": loss.mean()}
