"""Deep Speech (Hannun 2014): three dense layers, a bidirectional plain recurrence, a dense layer, CTC."""

from __future__ import annotations

from tinygrad import Tensor

from .layers import Tensors, dense, dropout

DROPOUT = 0.05
NEVER = -1e30  # ln 0: what is infinite has no gradient


def clipped_relu(x: Tensor) -> Tensor:
    """min(max(x, 0), 20); the gradient is 0 at both corners."""
    return ((x > 0) & (x < 20)).where(x, (x >= 20).where(20.0, 0.0))


def recurrence(x: Tensor, weight: Tensor, inside: Tensor, reverse: bool) -> Tensor:
    """h[t] = r(x[t] + h[t - 1] weight), or of h[t + 1] in reverse; 0 past an utterance's end."""
    h, states = Tensor.zeros(x.shape[0], x.shape[2]), []
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        h = inside[:, t, None].where(clipped_relu(x[:, t] + h @ weight), 0.0)
        # Kept, as is the gradient that comes back: else tinygrad computes each frame anew for every reader.
        h = h.contiguous().contiguous_backward()
        states.append(h)
    return Tensor.stack(*(states[::-1] if reverse else states), dim=1)


def ctc(log_probs: Tensor, inputs: Tensors) -> Tensor:
    """-ln p(labels | features) of each utterance: Graves 2006, the forward variables of section 4.1, by their logarithms."""
    batch, time, classes = log_probs.shape
    blank = classes - 1
    labels = inputs["labels"].clip(0, blank - 1)  # padding may be any number
    frames, lengths = inputs["frames"], inputs["label_lengths"]
    # Blanks before, between and after the labels.
    blanks = Tensor.full(labels.shape, blank, dtype=labels.dtype)
    path = Tensor.stack(blanks, labels, dim=2).flatten(1).cat(blanks[:, :1], dim=1)
    size = path.shape[1]
    emitted = log_probs.gather(2, path[:, None].expand(batch, time, size)).contiguous()
    place = Tensor.arange(size)
    # A blank between may be left out, where the labels about it differ; those about a label are always blanks.
    skips = (place >= 2) & (path != path.pad((None, (2, 0)))[:, :size])

    def moved(alpha: Tensor, by: int) -> Tensor:
        return alpha[:, : size - by].pad((None, (by, 0)), value=NEVER)

    alpha = (place < 2).where(emitted[:, 0], NEVER)
    for t in range(1, time):
        ways = Tensor.stack(alpha, moved(alpha, 1), skips.where(moved(alpha, 2), NEVER))
        # No further than its floor, lest ln 0 add up to what f32 has no number for.
        more = (ways.logsumexp(0) + emitted[:, t]).maximum(NEVER)
        # An utterance that is over stays as it is.
        alpha = (t < frames[:, None]).where(more, alpha).contiguous().contiguous_backward()
    ends = (place == 2 * lengths[:, None]) | (place == 2 * lengths[:, None] - 1)
    return -ends.where(alpha, NEVER).logsumexp(1)


def forward(p: Tensors, inputs: Tensors, draws: Tensors) -> Tensors:
    def layer(x: Tensor, name: str) -> Tensor:
        """Equation 1, with the dropout of section 2.1."""
        return dropout(clipped_relu(dense(p, x, name)), name, draws, DROPOUT).contiguous().contiguous_backward()

    h = inputs["features"]
    inside = Tensor.arange(h.shape[1]) < inputs["frames"][:, None]
    # Layers 1 to 3 see one frame with its context each.
    for name in ("dense1", "dense2", "dense3"):
        h = layer(h, name)

    # Layer 4 is recurrent, in both directions over one input product (eq. 2 and 3).
    x = dense(p, h, "recurrent.input").contiguous().contiguous_backward()
    past = recurrence(x, p["recurrent.forward"], inside, reverse=False)
    future = recurrence(x, p["recurrent.backward"], inside, reverse=True)

    # Layer 5 sees both; then a softmax over the labels and the blank, which is the last class (eq. 4).
    log_probs = dense(p, layer(past + future, "dense5"), "output").log_softmax(-1)
    return {"log_probs": log_probs, "loss": ctc(log_probs, inputs).mean()}
