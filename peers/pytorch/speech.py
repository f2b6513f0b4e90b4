"""Deep Speech (Hannun 2014): three dense layers, a bidirectional plain recurrence, a dense layer, CTC."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from optim import Nesterov

OPTIMIZER = Nesterov(rate=1e-4, momentum=0.99, clip=100.0)

BLANK = 61
DROPOUT = 0.05
DENSE = ["dense1", "dense2", "dense3", "recurrent.input", "dense5", "output"]
PARAMETERS = [f"{layer}.{part}" for layer in DENSE for part in ("weight", "bias")]
PARAMETERS += ["recurrent.forward", "recurrent.backward"]
SIZES = {
    "full": dict(batch=32, hidden=2048, context=9, time=783, labels=80),
    "tiny": dict(batch=4, hidden=64, context=2, time=64, labels=16),
}


def randoms(mode: str) -> list[str]:
    dropped = ["dense1", "dense2", "dense3", "dense5"]
    return [f"{layer}.dropout" for layer in dropped] if mode == "train" else []


def clipped_relu(x):
    return torch.clamp(x, 0.0, 20.0)


def recurrence(x, forward, backward, frames):
    """Both directions over x [B, T, H]; frames past an utterance's end give zero."""
    batch, time, hidden = x.shape
    inside = (torch.arange(time, device=x.device)[None, :] < frames[:, None]).to(x.dtype)[..., None]

    def run(order, weight):
        h = x.new_zeros(batch, hidden)
        steps = [None] * time
        for t in order:
            h = clipped_relu(x[:, t] + h @ weight) * inside[:, t]
            steps[t] = h
        return torch.stack(steps, dim=1)

    return run(range(time), forward), run(reversed(range(time)), backward)


def forward(p, inputs, random, mode: str):
    """The outputs by name, and the loss in training."""

    def dense(x, name):
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def layer(x, name):
        h = clipped_relu(dense(x, name))
        if mode == "train":
            h = h * random[f"{name}.dropout"] / (1 - DROPOUT)
        return h

    frames = inputs["frames"].long()
    h = layer(layer(layer(inputs["features"], "dense1"), "dense2"), "dense3")
    x = dense(h, "recurrent.input")
    h_forward, h_backward = recurrence(x, p["recurrent.forward"], p["recurrent.backward"], frames)
    h = layer(h_forward + h_backward, "dense5")
    log_probs = F.log_softmax(dense(h, "output"), dim=-1)
    outputs = {"log_probs": log_probs}
    if mode == "train":
        lengths = inputs["label_lengths"].long()
        nll = F.ctc_loss(log_probs.transpose(0, 1), inputs["labels"].long(), frames, lengths,
                         blank=BLANK, reduction="none")
        outputs["loss"] = nll.mean()
    else:
        outputs["decoded"] = greedy(log_probs, frames)
    return outputs


def greedy(log_probs, frames):
    """Best path: repeats merged, blanks dropped, the rest -1."""
    batch, time, _ = log_probs.shape
    decoded = torch.full((batch, time), -1, dtype=torch.int32)
    for b in range(batch):
        best = log_probs[b, : int(frames[b])].argmax(-1).tolist()
        kept = [c for t, c in enumerate(best) if c != BLANK and (t == 0 or best[t - 1] != c)]
        decoded[b, : len(kept)] = torch.tensor(kept, dtype=torch.int32)
    return decoded


def example(size, mode: str):
    """Random inputs and draws of a preset's size, for timing."""
    b, h, t, labels = size["batch"], size["hidden"], size["time"], size["labels"]
    d = 26 * (2 * size["context"] + 1)
    shapes = {"dense1": (d, h), "dense2": (h, h), "dense3": (h, h), "recurrent.input": (h, h),
              "dense5": (h, h), "output": (h, 62)}
    p = {}
    for name, (rows, columns) in shapes.items():
        p[f"{name}.weight"] = torch.randn(rows, columns) * (2 / rows) ** 0.5
        p[f"{name}.bias"] = torch.zeros(columns)
    for name in ("recurrent.forward", "recurrent.backward"):
        p[name] = torch.randn(h, h) / h**0.5
    inputs = {
        "features": torch.randn(b, t, d),
        "frames": torch.full((b,), t, dtype=torch.int32),
        "labels": torch.randint(0, 61, (b, labels), dtype=torch.int32),
        "label_lengths": torch.full((b,), labels // 2, dtype=torch.int32),
    }
    random = {name: (torch.rand(b, t, h) > DROPOUT).float() for name in randoms(mode)}
    return p, inputs, random
