"""Translation with LSTMs (Sutskever 2014) and attention (Bahdanau 2015), as in TensorFlow's translation model.

Three layers encode the reversed source and three decode from their final states; what a step attends to is
decided after its layers ran, and enters the next step. Training samples the softmax (Jean 2015). B sentence
pairs, S and T positions, H units.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from layout import Sizes, Spec, floats, integers, layers
from optim import SGD

OPTIMIZER = SGD(rate=0.5, clip=5.0)
LAYERS = 3
SAMPLES = {40_000: 512, 200: 32}  # of a vocabulary, where no draws are given: those of the presets
PAD, GO, EOS, UNK = range(4)

SIZES = {
    "full": dict(batch=64, source=40, target=50, hidden=256, source_vocabulary=40_000, target_vocabulary=40_000,
                 samples=512),
    "tiny": dict(batch=4, source=5, target=10, hidden=32, source_vocabulary=200, target_vocabulary=200, samples=32),
}


def names(mode: str) -> dict[str, Spec]:
    specs = {"param/encoder.embedding": floats("source_vocabulary hidden")}
    specs["param/decoder.embedding"] = floats("target_vocabulary hidden")
    specs |= layers({
        **{f"encoder.lstm{n}": "2*hidden 4*hidden" for n in range(1, LAYERS + 1)},
        "decoder.input": "2*hidden hidden",
        **{f"decoder.lstm{n}": "2*hidden 4*hidden" for n in range(1, LAYERS + 1)},
        "attention.query": f"{2 * LAYERS}*hidden hidden",
        "decoder.output": "2*hidden hidden",
    })
    specs["param/attention.memory"] = floats("hidden hidden")
    specs["param/attention.v"] = floats("hidden")
    specs["param/projection.weight"] = floats("target_vocabulary hidden")
    specs["param/projection.bias"] = floats("target_vocabulary")
    specs["input/source"] = integers("batch source")
    specs["input/target"] = integers("batch target")
    specs["input/target_weight"] = floats("batch target")
    if mode == "train":
        specs["random/sampled"] = integers("samples")
        specs["output/decoder"] = floats("batch target hidden")
        specs["output/loss"] = floats("")
    else:
        for name in ("input/target", "input/target_weight"):
            specs[name] = specs[name]._replace(optional=True)
        specs["output/tokens"] = integers("batch target")
    return specs


def forward(p: dict[str, Tensor], inputs: dict[str, Tensor], draws: dict[str, Tensor], mode: str) -> dict[str, Tensor]:
    step, target = decoder(p, inputs["source"]), inputs["target"].long()
    if mode == "infer":  # of the target its length alone
        tokens = [go(target)]
        for _ in range(target.shape[1]):
            tokens.append(project(p, step(tokens[-1])).argmax(1))
        return {"tokens": torch.stack(tokens[1:], dim=1).int()}

    out = torch.stack([step(token) for token in target.unbind(1)], dim=1)
    label = F.pad(target[:, 1:], (0, 1), value=PAD)  # the last step has none, and no weight
    sampled = draws["sampled"] if draws else log_uniform(SAMPLES.get(len(p["projection.bias"]), 512), p["projection.bias"])
    losses = sampled_softmax(p, out, label, sampled.long())
    # The mean over a sentence's tokens, then over the sentences.
    weight = inputs["target_weight"]
    tokens = weight.sum(1)
    loss = (losses * weight).sum(1) / torch.where(tokens > 0, tokens, 1.0)
    return {"decoder": out, "loss": loss.mean()}


def gates(p: dict[str, Tensor], layer: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A layer's weight and bias as torch has them: of the input, of the state; its gates too are i, f, g, o.

    In one piece each, since cuDNN refuses views that are transposed.
    """
    weight, bias = p[f"{layer}.weight"], p[f"{layer}.bias"]
    of_input, of_state = weight.tensor_split([weight.shape[0] - bias.shape[0] // 4])
    return of_input.T.contiguous(), of_state.T.contiguous(), bias, torch.zeros_like(bias)


def encode(p: dict[str, Tensor], source: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """The top layer's h at every position, and the final h and c of each layer (Sutskever 2014, section 2).

    The source is reversed (section 3.3); its padding is embedded like any word.
    """
    x = F.embedding(source.long().flip(1), p["encoder.embedding"])
    weights = [w for n in range(1, LAYERS + 1) for w in gates(p, f"encoder.lstm{n}")]
    zero = x.new_zeros(LAYERS, *x[:, 0].shape)
    top, h, c = torch.lstm(x, (zero, zero), weights, True, LAYERS, 0.0, torch.is_grad_enabled(), False, True)
    return top, list(h), list(c)


def decoder(p: dict[str, Tensor], source: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that takes the next token of each sentence, and gives what the softmax sees."""
    memory, h, c = encode(p, source)
    keys = memory @ p["attention.memory"]
    cells = [gates(p, f"decoder.lstm{n}") for n in range(1, LAYERS + 1)]
    context = torch.zeros_like(h[0])

    def dense(parts: list[Tensor], name: str) -> Tensor:
        return torch.addmm(p[f"{name}.bias"], torch.cat(parts, dim=1), p[f"{name}.weight"])

    def step(token: Tensor) -> Tensor:
        nonlocal context
        x = dense([F.embedding(token, p["decoder.embedding"]), context], "decoder.input")
        for n, cell in enumerate(cells):
            h[n], c[n] = torch.lstm_cell(x, (h[n], c[n]), *cell)
            x = h[n]
        # Bahdanau 2015, section 3.1 and appendix A.1.2: v tanh(W s + U h_j), over all positions, padding as well.
        query = dense([state for n in range(LAYERS) for state in (c[n], h[n])], "attention.query")
        scores = torch.tanh(keys + query[:, None]) @ p["attention.v"]
        context = (torch.softmax(scores, dim=1)[:, None] @ memory)[:, 0]
        return dense([h[-1], context], "decoder.output")

    return step


def project(p: dict[str, Tensor], out: Tensor) -> Tensor:
    """The logits of the whole vocabulary."""
    return out @ p["projection.weight"].T + p["projection.bias"]


def go(tokens: Tensor) -> Tensor:
    return torch.full_like(tokens[:, 0], GO)


def log_probability(c: Tensor, like: Tensor) -> Tensor:
    """ln P(c) of the log-uniform distribution: P(c) = ln((c + 2) / (c + 1)) / ln(V + 1)."""
    c = c.to(like.dtype)
    return torch.log(torch.log1p(1 / (c + 1)) / math.log(like.shape[0] + 1))


def log_uniform(count: int, like: Tensor, generator: Generator | None = None) -> Tensor:
    """That many classes, with replacement: below c lies ln(c + 1) / ln(V + 1) of the distribution."""
    vocabulary = like.shape[0]
    below = torch.rand(count, dtype=torch.float64, device=like.device, generator=generator)
    return (torch.exp(below * math.log(vocabulary + 1)).long() - 1).clamp(0, vocabulary - 1)


def sampled_softmax(p: dict[str, Tensor], out: Tensor, label: Tensor, sampled: Tensor) -> Tensor:
    """-ln p(label) of each token, among the label and the sampled classes alone (Jean 2015, section 3).

    ln(count P(c)) corrects for how often c is sampled. A class sampled twice counts twice, one that is the
    label not at all.
    """
    weight, bias = p["projection.weight"], p["projection.bias"]

    def corrected(logit: Tensor, c: Tensor) -> Tensor:
        return logit + bias[c] - math.log(sampled.shape[0]) - log_probability(c, bias)

    true = corrected((out * F.embedding(label, weight)).sum(-1), label)[..., None]
    others = corrected(out @ F.embedding(sampled, weight).T, sampled)
    others = others.masked_fill(sampled == label[..., None], -torch.inf)
    return -F.log_softmax(torch.cat([true, others], dim=-1), dim=-1)[..., 0]


def shortfall(p: dict[str, Tensor], inputs: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """By how much the logit of each given token is below the largest, where those before it are fed back."""
    step, tokens = decoder(p, inputs["source"]), given["tokens"].long()
    fed = [go(tokens), *tokens.unbind(1)[:-1]]
    below = []
    for token, chosen in zip(fed, tokens.unbind(1)):
        logits = project(p, step(token))
        missing = logits.max(1).values - logits.gather(1, chosen[:, None])[:, 0]
        below.append(missing / logits.abs().max(1).values)
    return {"tokens": torch.stack(below, dim=1)}


def initial(name: str, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Large, so that every parameter has a say in which tokens are best."""
    w = torch.randn(shape, generator=generator)
    if name.endswith("bias"):
        w = 0.1 * w  # not 0: a bias left out must show
        if "lstm" in name:
            w[shape[0] // 4 : shape[0] // 2] += 1  # the forget gate's
        return w
    if name.endswith("embedding"):
        return w
    fan_in = shape[1] if name == "projection.weight" else shape[0]
    return 3 * fan_in**-0.5 * w


def example(sizes: Sizes, generator: Generator) -> dict[str, Tensor]:
    """Sentences of any length that fits, of any words."""
    batch, positions = sizes["batch"], sizes["target"]

    def words(name: str) -> Tensor:
        size = sizes[f"{name}_vocabulary"]
        return torch.randint(min(UNK, size - 1), size, (batch, sizes[name]), generator=generator).int()

    def lengths(low: int, high: int) -> Tensor:
        some = torch.randint(low, high + 1, (batch, 1), generator=generator)
        some[0] = high
        return some

    source = words("source").masked_fill(torch.arange(sizes["source"]) >= lengths(1, sizes["source"]), PAD)
    at, end = torch.arange(positions), lengths(0, positions - 1)  # where EOS is; at 0 there is no sentence
    target = words("target").masked_fill(at == end, EOS).masked_fill(at > end, PAD)
    target[:, 0] = GO
    return {"source": source, "target": target, "target_weight": (at < end).float()}


def draws(sizes: Sizes, mode: str, generator: Generator) -> dict[str, Tensor]:
    if mode == "infer":
        return {}
    return {"sampled": log_uniform(sizes["samples"], torch.empty(sizes["target_vocabulary"]), generator).int()}
