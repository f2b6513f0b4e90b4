"""The optimisers of `../pytorch/optim.py` in tinygrad, which has no centred RMSProp: operations that it fuses, as its own are."""

from __future__ import annotations

from optim import SGD, Adam, CentredRMSProp, Momentum, Nesterov, Optimizer
from tinygrad import Tensor

Tensors = dict[str, Tensor]


class Rule:
    """An optimiser with the state of these parameters, on the device; what no state is given of starts at zero."""

    def __init__(self, optimizer: Optimizer, params: Tensors, state: Tensors, steps: int) -> None:
        self.optimizer, self.params = optimizer, params
        self.state = {name: {slot: state.get(f"{name}.{slot}", Tensor.zeros(*w.shape).contiguous()).realize()
                             for slot in optimizer.slots} for name, w in params.items()}
        # To the power of the updates that were made: a compiled step knows no number but what lies on the device.
        bases = (optimizer.beta1, optimizer.beta2) if isinstance(optimizer, Adam) else ()
        self.bases = [(base, Tensor([base**steps]).realize()) for base in bases]

    def update(self, gradients: Tensors) -> list[Tensor]:
        """All that a step assigns, still to be computed."""
        factor = self.factor(gradients)
        powers = [power.assign(power * base) for base, power in self.bases]
        assigned = list(powers)
        for name, w in self.params.items():
            g = gradients[name] if factor is None else gradients[name] * factor
            if self.optimizer.decay and name.endswith("weight"):
                g = g + self.optimizer.decay * w
            assigned.append(w.assign(w - self.optimizer.rate * self.change(g, self.state[name], powers)))
            assigned += self.state[name].values()
        return assigned

    def factor(self, gradients: Tensors) -> Tensor | None:
        """min(1, limit / |g|) over all gradients together."""
        limit = self.optimizer.clip
        if limit is None:
            return None
        norm = sum(g.square().sum() for g in gradients.values()).sqrt()
        return (norm > limit).where(limit / norm, 1.0)

    def change(self, g: Tensor, state: Tensors, powers: list[Tensor]) -> Tensor:
        """What the rate multiplies, of the state after the update: of the state before it, tinygrad could order no kernels."""
        rule = self.optimizer

        def become(slot: str, value: Tensor) -> Tensor:
            return state[slot].assign(value)

        match rule:
            case SGD():
                return g
            case Momentum():
                return become("velocity", rule.momentum * state["velocity"] + g)
            case Nesterov():
                return g + rule.momentum * become("velocity", rule.momentum * state["velocity"] + g)
            case Adam():
                m = become("m", rule.beta1 * state["m"] + (1 - rule.beta1) * g)
                v = become("v", rule.beta2 * state["v"] + (1 - rule.beta2) * g.square())
                m_hat, v_hat = (value / (1 - power) for value, power in zip((m, v), powers))
                return m_hat / (v_hat.sqrt() + rule.epsilon)
            case CentredRMSProp():
                a = become("mean", rule.rho * state["mean"] + (1 - rule.rho) * g)
                s = become("square", rule.rho * state["square"] + (1 - rule.rho) * g.square())
                return g / (s - a.square() + rule.epsilon).sqrt()
        raise TypeError(f"{type(rule).__name__} is not written in tinygrad")
