#!/usr/bin/env python3
"""The tests of the oracle: it is right by other means, passes what is right, and names what is wrong.

Goldens in assets/golden are checked as well.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

import bench
import check
import deepq
import memnet
import seq2seq
import speech
from layout import shape_of
from make import make
from optim import SGD, Adam, CentredRMSProp, Momentum, Nesterov, apply, clip_factor
from snapshot import Snapshot, write
from step import MODELS, evaluate

GOLDEN = Path(__file__).resolve().parents[2] / "assets" / "golden"
SMALL = {
    "speech": dict(batch=3, time=14, features=10, hidden=8, classes=6, labels=4),
    "autoenc": dict(batch=3, pixels=12, hidden=8, latent=4),
    "alexnet": dict(batch=3, size=63, classes=5, c1=4, half1=2, c2=4, c3=6, half3=3, c4=6, half4=3, c5=4, features=4,
                    fc6=8, fc7=6),
    "vgg": dict(batch=3, size=32, classes=5, c1=2, c2=3, c3=4, c4=3, c5=4, features=4, fc6=8, fc7=6),
    "residual": dict(batch=3, size=64, classes=5, w1=2, w2=3, w3=4, w4=3),
    "deepq": dict(batch=3, c1=4, c2=3, c3=2, features=98, fc4=6, actions=4),
    "memnet": dict(batch=3, memory=4, sentence=3, dimension=5, vocabulary=7),
    "seq2seq": dict(batch=6, source=4, target=8, hidden=6, source_vocabulary=9, target_vocabulary=11, samples=6),
}
UNREAD = {  # by an inference step
    "speech": ("labels", "label_lengths"), "autoenc": (), "deepq": ("action", "reward", "terminal", "next_state"),
    "memnet": ("answer",), "seq2seq": ("target", "target_weight"),
} | dict.fromkeys(("alexnet", "vgg", "residual"), ("label",))
SKIPS = {"speech": (0, 3), "autoenc": (0, 3)}
CASES = [(w, mode, skip) for w in SMALL for mode in ("train", "infer") for skip in SKIPS.get(w, (3,))]


def small(workload: str, mode: str, skip: int = 0, seed: int = 7) -> Snapshot:
    return make(workload, mode, SMALL[workload], seed, skip)


def failures(snapshot: Snapshot) -> dict[str, check.Row]:
    return {row.name: row for row in check.check(snapshot) if row.failed}


def changed(snapshot: Snapshot, name: str, value: Tensor | None) -> Snapshot:
    """The snapshot with one tensor replaced, or removed."""
    tensors = dict(snapshot.tensors)
    del tensors[name]
    return Snapshot(tensors if value is None else tensors | {name: value}, snapshot.config)


# The parts, each by another way.


def test_optimisers_are_those_of_torch():
    generator = torch.Generator().manual_seed(1)
    rules = [
        SGD(rate=0.1),
        Momentum(rate=0.1, momentum=0.9, decay=0.01),
        Nesterov(rate=0.1, momentum=0.9),
        Adam(rate=0.1),
        CentredRMSProp(rate=0.1, rho=0.9, epsilon=0.0),  # with 0 it does not matter where it is added
    ]
    for rule in rules:
        start = {n: torch.randn(5, generator=generator).double() for n in ("a.weight", "a.bias")}
        leaves = {n: w.clone().requires_grad_() for n, w in start.items()}
        theirs = bench.torch_optimizer(rule, leaves, fused=False)
        params, state = start, {}
        for step in range(4):
            gradients = {n: torch.randn(5, generator=generator).double() for n in start}
            params, state = apply(rule, params, gradients, state, step)
            for n, leaf in leaves.items():
                leaf.grad = gradients[n]
            theirs.step()
        for n in start:
            torch.testing.assert_close(params[n], leaves[n].detach(), rtol=1e-9, atol=1e-9)


def test_centred_rmsprop_adds_epsilon_inside_the_root():
    rule = CentredRMSProp(rate=0.5, rho=0.75, epsilon=0.01)
    after, state = apply(rule, {"w": torch.tensor([1.0]).double()}, {"w": torch.tensor([2.0]).double()}, {}, 0)
    # a = 0.5, s = 1: w = 1 - 0.5 * 2 / sqrt(1 - 0.25 + 0.01)
    assert abs(after["w"].item() - (1 - 1 / 0.76**0.5)) < 1e-12
    assert (state["w.mean"].item(), state["w.square"].item()) == (0.5, 1.0)


def test_clipping_is_over_all_gradients_together():
    gradients = {"a": torch.tensor([3.0]), "b": torch.tensor([0.0, 4.0])}
    assert clip_factor(gradients, 10.0) == 1.0
    assert clip_factor(gradients, 1.0) == 0.2
    assert clip_factor({"a": torch.zeros(2)}, 1.0) == 1.0


def test_ctc_sums_over_all_alignments():
    generator = torch.Generator().manual_seed(2)
    time, classes = 5, 3
    log_probs = F.log_softmax(torch.randn(4, time, classes, generator=generator).double(), -1)
    labels, lengths, frames = [[0, 1], [1, 1], [1, -1], [-1, -1]], [2, 2, 1, 0], [5, 4, 3, 2]
    inputs = {"labels": torch.tensor(labels), "label_lengths": torch.tensor(lengths), "frames": torch.tensor(frames)}
    nll = speech.ctc(log_probs, inputs)
    for b in range(4):
        total = 0.0
        for path in itertools.product(range(classes), repeat=frames[b]):
            merged = [c for c, _ in itertools.groupby(path)]
            if [c for c in merged if c != classes - 1] == labels[b][: lengths[b]]:
                total += torch.exp(sum(log_probs[b, t, c] for t, c in enumerate(path))).item()
        assert abs(torch.exp(-nll[b]).item() - total) < 1e-12


def test_greedy_decoding_merges_then_drops_blanks():
    best = torch.tensor([[0, 0, 2, 0, 1, 1], [2, 2, 2, 2, 2, 2], [1, 0, 1, 0, 1, 0]])
    outputs = {"log_probs": F.one_hot(best, 3).double()}
    decoded = speech.discrete(outputs, {"frames": torch.tensor([5, 6, 3])})["decoded"]
    assert decoded.tolist() == [[0, 0, 1, -1, -1, -1], [-1] * 6, [1, 0, 1, -1, -1, -1]]


def test_an_utterance_does_not_feel_the_padding():
    snapshot = small("speech", "infer")
    params, inputs = snapshot.group("param"), snapshot.group("input")
    log_probs = evaluate(speech, params, inputs, {}, "infer")[0]["log_probs"]
    lengths = inputs["frames"].tolist()
    assert min(lengths) < max(lengths)
    for b, length in enumerate(lengths):
        alone = {"features": inputs["features"][b : b + 1, :length], "frames": inputs["frames"][b : b + 1]}
        torch.testing.assert_close(evaluate(speech, params, alone, {}, "infer")[0]["log_probs"][0],
                                   log_probs[b, :length], rtol=1e-12, atol=1e-12)


def test_memory_hops_are_those_of_the_equations():
    """Word by word."""
    snapshot = small("memnet", "train")
    p, inputs = snapshot.group("param"), snapshot.group("input")
    batch, memory, sentence = inputs["story"].shape
    dimension = p["temporal0"].shape[1]

    def encoded(words: Tensor, k: int) -> Tensor:
        total = torch.zeros(dimension).double()
        for j, word in enumerate(words.tolist(), 1):
            for n in range(1, dimension + 1):
                position = (1 - j / sentence) - (n / dimension) * (1 - 2 * j / sentence)
                total[n - 1] += 0 if word == 0 else position * p[f"embedding{k}"][word, n - 1]
        return total

    loss = 0.0
    for b in range(batch):
        u = encoded(inputs["question"][b], 0)
        for k in range(3):
            m = [encoded(inputs["story"][b, i], k) + p[f"temporal{k}"][i] for i in range(memory)]
            c = [encoded(inputs["story"][b, i], k + 1) + p[f"temporal{k + 1}"][i] for i in range(memory)]
            powers = [math.exp(u @ m_i) for m_i in m]
            u = u + sum(power / sum(powers) * c_i for power, c_i in zip(powers, c))
        logits = p["embedding3"] @ u
        torch.testing.assert_close(snapshot.tensors["output/logits"][b].double(), logits, rtol=1e-6, atol=1e-6)
        loss -= (logits[inputs["answer"][b]] - torch.logsumexp(logits, 0)).item()
    assert abs(snapshot.tensors["output/loss"].item() - loss) < 1e-5 * loss


def test_a_nil_word_gives_and_receives_nothing():
    snapshot = small("memnet", "train")
    params, inputs = snapshot.group("param"), snapshot.group("input")
    outputs, gradients = evaluate(memnet, params, inputs, {}, "train")
    bent = {n: torch.cat([w[:1] + 1, w[1:]]) if n.startswith("embedding") else w for n, w in params.items()}
    assert torch.equal(evaluate(memnet, bent, inputs, {}, "train")[0]["logits"], outputs["logits"])
    assert (outputs["logits"][:, 0] == 0).all()
    for k in range(4):
        assert (gradients[f"embedding{k}"][0] == 0).all() and (gradients[f"embedding{k}"][1:] != 0).any()
        assert (gradients[f"temporal{k}"] != 0).all()


def translated(p: dict[str, Tensor], source: Tensor, fed: list[int | None]) -> tuple[list[Tensor], list[int]]:
    """One sentence by the equations: what the softmax sees in each step, and the best token; None feeds that back."""
    units = p["attention.v"].shape[0]

    def dense(x: Tensor, name: str) -> Tensor:
        return x @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def layers(x: Tensor, side: str, state: list[tuple[Tensor, Tensor]]) -> Tensor:
        for n in range(3):
            h, c = state[n]
            i, f, g, o = dense(torch.cat([x, h]), f"{side}.lstm{n + 1}").split(units)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(c)
            state[n] = (x, c)
        return x

    state = [(torch.zeros(units).double(), torch.zeros(units).double())] * 3
    memory = [layers(p["encoder.embedding"][word], "encoder", state) for word in reversed(source.tolist())]
    context, outs, tokens = torch.zeros(units).double(), [], []
    for token in fed:
        token = tokens[-1] if token is None else token
        h = layers(dense(torch.cat([p["decoder.embedding"][token], context]), "decoder.input"), "decoder", state)
        query = dense(torch.cat([part for h_n, c_n in state for part in (c_n, h_n)]), "attention.query")
        powers = [math.exp(p["attention.v"] @ torch.tanh(h_t @ p["attention.memory"] + query)) for h_t in memory]
        context = sum(power / sum(powers) * h_t for power, h_t in zip(powers, memory))
        outs.append(dense(torch.cat([h, context]), "decoder.output"))
        tokens.append(int((p["projection.weight"] @ outs[-1] + p["projection.bias"]).argmax()))
    return outs, tokens


def test_translation_is_that_of_the_equations():
    """Sentence by sentence, token by token, class by class."""
    for seed in range(3):
        snapshot = small("seq2seq", "train", seed=seed)
        p, inputs, vocabulary = snapshot.group("param"), snapshot.group("input"), 11
        sampled = snapshot.tensors["random/sampled"].tolist()

        def corrected(out: Tensor, c: int) -> float:
            logit = (p["projection.weight"][c] @ out + p["projection.bias"][c]).item()
            return logit - math.log(6 * math.log((c + 2) / (c + 1)) / math.log(vocabulary + 1))

        total = 0.0
        for b, target in enumerate(inputs["target"].tolist()):
            outs, _ = translated(p, inputs["source"][b], target)
            theirs = snapshot.tensors["output/decoder"][b].double()
            torch.testing.assert_close(theirs, torch.stack(outs), rtol=1e-6, atol=1e-6)
            losses = []
            for t in range(7):
                if inputs["target_weight"][b, t] == 1:
                    true = corrected(outs[t], target[t + 1])
                    others = [corrected(outs[t], c) for c in sampled if c != target[t + 1]]
                    losses.append(math.log(sum(math.exp(logit) for logit in [true, *others])) - true)
            total += sum(losses) / max(len(losses), 1) / 6
        assert abs(snapshot.tensors["output/loss"].item() - total) < 1e-5 * total

        snapshot = small("seq2seq", "infer", seed=seed)
        p = snapshot.group("param")
        for source, tokens in zip(snapshot.tensors["input/source"], snapshot.tensors["output/tokens"].tolist()):
            assert translated(p, source, [1] + [None] * 7)[1] == tokens


def test_the_encoder_is_that_of_torch():
    snapshot = small("seq2seq", "infer")
    p, source = snapshot.group("param"), snapshot.tensors["input/source"].long()
    theirs = torch.nn.LSTM(6, 6, num_layers=3, batch_first=True).double()
    for n in range(3):
        weight, bias = p[f"encoder.lstm{n + 1}.weight"], p[f"encoder.lstm{n + 1}.bias"]
        values = {"weight_ih": weight[:6].T, "weight_hh": weight[6:].T, "bias_ih": 0, "bias_hh": bias}
        for name, value in values.items():
            getattr(theirs, f"{name}_l{n}").data[:] = value
    top, (h, c) = theirs(p["encoder.embedding"][source.flip(1)])
    torch.testing.assert_close(seq2seq.encode(p, source), (top, list(h), list(c)), rtol=1e-12, atol=1e-12)


def test_a_sentence_without_tokens_costs_nothing():
    snapshot = small("seq2seq", "train")
    inputs = snapshot.group("input")
    arguments = snapshot.group("param"), inputs, snapshot.group("random"), "train"
    inputs["target_weight"][1:] = 0
    alone = evaluate(seq2seq, *arguments)[0]["loss"].item()
    inputs["target_weight"][0] = 0
    outputs, gradients = evaluate(seq2seq, *arguments)
    assert alone > 0 and outputs["loss"] == 0 and all((g == 0).all() for g in gradients.values())


def test_samples_follow_their_distribution():
    like = torch.empty(20).double()
    p = torch.exp(seq2seq.log_probability(torch.arange(20), like))
    assert abs(p.sum().item() - 1) < 1e-12
    count = 100_000
    sampled = seq2seq.log_uniform(count, like, torch.Generator().manual_seed(3))
    assert ((torch.bincount(sampled, minlength=20) / count - p).abs() < 4 * (p / count).sqrt()).all()


def test_the_examples_reach_every_branch():
    words = small("memnet", "train").tensors["input/story"]
    nil = (words == 0).sum(-1)
    assert {0, 3} < set(nil.flatten().tolist()) and (words[0, :, 0] != 0).all()
    pair = small("seq2seq", "train")
    sampled, target = pair.tensors["random/sampled"], pair.tensors["input/target"]
    assert len(sampled.unique()) < 6 and torch.isin(target[pair.tensors["input/target_weight"] == 1], sampled).any()
    assert (target == 0).any() and (target == 2).any() and (pair.tensors["input/source"] == 0).any()
    snapshot = small("speech", "train")
    params, inputs = snapshot.group("param"), snapshot.group("input")
    h = inputs["features"] @ params["dense1.weight"] + params["dense1.bias"]
    assert (h > 20).any() and (h < 0).any() and ((h > 0) & (h < 20)).any()
    assert all((mask == 0).any() and (mask == 1).any() for mask in snapshot.group("random").values())
    assert clip_factor(snapshot.group("grad"), speech.OPTIMIZER.clip) < 1


def test_gradients_are_the_slopes_of_the_loss():
    """Central differences in f64, at the largest gradient of each parameter and two others."""
    for workload in SMALL:
        snapshot, model = small(workload, "train"), MODELS[workload]
        params = snapshot.group("param")
        arguments = (snapshot.group("input"), snapshot.group("random"), "train")
        _, gradients = evaluate(model, params, *arguments)
        for name, gradient in gradients.items():
            flat = gradient.flatten()
            for at in {int(flat.abs().argmax()), 0, flat.numel() // 2}:
                losses = []
                for h in (1e-6, -1e-6):
                    moved = params[name].clone()
                    moved.view(-1)[at] += h
                    losses.append(model.forward(params | {name: moved}, *arguments)["loss"].item())
                slope = (losses[0] - losses[1]) / 2e-6
                assert abs(slope - flat[at].item()) <= 1e-6 * flat.abs().max().item(), f"{workload} {name}[{at}]"


# What is right passes.


def test_snapshots_pass():
    for case in CASES:
        rows = check.check(small(*case), 1e-6)
        assert all(row.verdict == "ok" for row in rows), (case, rows)
        groups = {row.name.split("/")[0] for row in rows}
        assert groups == ({"output", "grad", "after", "update"} if case[1] == "train" else {"output"}), case


def test_the_state_before_the_first_step_may_be_left_out():
    for workload in SMALL:
        snapshot = small(workload, "train")
        bare = {name: tensor for name, tensor in snapshot.tensors.items() if not name.startswith("state/")}
        assert not failures(Snapshot(bare, snapshot.config))
        if not MODELS[workload].OPTIMIZER.slots:
            continue  # has none
        assert "MISSING" in {row.verdict for row in failures(Snapshot(bare, snapshot.config | {"skip": 3})).values()}


def test_scalars_may_have_one_dimension_and_steps_may_be_floats():
    snapshot = small("autoenc", "train", 3)
    flat = changed(snapshot, "output/loss", snapshot.tensors["output/loss"].reshape(1))
    assert not failures(changed(flat, "state/step", torch.tensor([3.0])))


def test_what_inference_does_not_read_may_be_left_out():
    for workload, unread in UNREAD.items():
        snapshot = small(workload, "infer")
        for name in unread:
            snapshot = changed(snapshot, f"input/{name}", None)
        assert not failures(snapshot)


def test_the_target_network_is_copied_when_it_is_due():
    params = {name: torch.randn(2) for name in ("w", "target/w")}
    after = {"w": torch.randn(2)}
    assert deepq.follow(params, after, 9_998)["target/w"] is params["target/w"]
    assert deepq.follow(params, after, 9_999)["target/w"] is after["w"]


def test_full_models_have_the_published_numbers_of_parameters():
    wanted = {"alexnet": 60_965_224, "vgg": 143_667_240, "residual": 21_797_672, "deepq": 1_686_180}
    for workload, count in wanted.items():
        model = MODELS[workload]
        specs = [s for n, s in model.names("train").items() if n.startswith("param/") and s.trained]
        assert sum(torch.Size(shape_of(s, model.SIZES["full"])).numel() for s in specs) == count, workload


def test_padding_may_be_any_number():
    snapshot = small("speech", "train")
    labels = snapshot.tensors["input/labels"].clone()
    behind = torch.arange(labels.shape[1]) >= snapshot.tensors["input/label_lengths"][:, None]
    assert behind.any()
    for padding in (-1, 1_000_000):
        assert not failures(changed(snapshot, "input/labels", labels.masked_fill(behind, padding)))


def test_ties_in_decoding_are_reported():
    snapshot = small("speech", "infer")
    for name in ("param/output.weight", "param/output.bias"):  # classes 0 and 1 always tie
        twins = snapshot.tensors[name].clone() + (5 if name.endswith("bias") else 0) * torch.eye(6)[0]
        twins[..., 1] = twins[..., 0]
        snapshot = changed(snapshot, name, twins)
    params, inputs = snapshot.group("param"), snapshot.group("input")
    outputs, _ = evaluate(speech, params, inputs, {}, "infer")
    assert (outputs["decoded"] == 0).any()
    outputs["log_probs"][..., 1] += 1e-6
    other = speech.discrete(outputs, inputs)["decoded"]
    snapshot = changed(snapshot, "output/log_probs", outputs["log_probs"].float())
    rows = {row.name: row.verdict for row in check.check(changed(snapshot, "output/decoded", other))}
    assert rows == {"output/log_probs": "ok", "output/decoded": "tie"}, rows
    other[0, 0] = 3
    assert "output/decoded" in failures(changed(snapshot, "output/decoded", other))


def test_either_of_two_equal_tokens_may_be_fed_back():
    """With what follows from it, and nothing else."""
    snapshot, steps = small("seq2seq", "infer"), 8
    common = int(snapshot.tensors["output/tokens"].flatten().mode().values)
    twin = (common + 1) % 11  # always ties with it, but decoding goes on otherwise
    for name in ("param/projection.weight", "param/projection.bias"):
        twins = snapshot.tensors[name].clone()
        twins[twin] = twins[common]
        snapshot = changed(snapshot, name, twins)
    p, source = snapshot.group("param"), snapshot.tensors["input/source"]

    def decoded(better: int) -> Tensor:
        """Where one of the two is better by a hair."""
        bias = p["projection.bias"].clone()
        bias[better] += 1e-7
        every = [translated(p | {"projection.bias": bias}, words, [1] + [None] * (steps - 1))[1] for words in source]
        return torch.tensor(every).int()

    def verdict(tokens: Tensor) -> str:
        rows = check.check(changed(snapshot, "output/tokens", tokens))
        assert len(rows) == 1
        return rows[0].verdict

    low, high = decoded(min(twin, common)), decoded(max(twin, common))
    assert verdict(low) == "ok" and verdict(high) == "tie"
    same = [tokens.masked_fill(tokens == twin, common) for tokens in (low, high)]
    b = int((same[0] != same[1]).any(1).nonzero()[0])  # a sentence that goes on otherwise
    at = int((low[b] != high[b]).nonzero()[0])
    mixed = low.clone()
    mixed[b, at] = high[b, at]
    assert verdict(mixed) == "FAIL"
    for b, t in itertools.product(range(2), range(steps)):
        for wrong in set(range(-1, 12)) - {common, twin, int(high[b, t])}:
            bent = high.clone()
            bent[b, t] = wrong
            assert verdict(bent) == "FAIL", (b, t, wrong)


# What is wrong is named.


def test_bent_results_fail():
    for case in CASES:
        snapshot = small(*case)
        for name, tensor in snapshot.tensors.items():
            if name.split("/")[0] not in ("output", "grad", "after"):
                continue
            flat = tensor.flatten().clone()
            at = flat.numel() // 2
            flat[at] += 1 if not flat.is_floating_point() else 1e-3 * flat.abs().max()
            assert name in failures(changed(snapshot, name, flat.reshape(tensor.shape))), (case, name)
            if flat.is_floating_point():
                flat[at] = torch.nan
                assert name in failures(changed(snapshot, name, flat.reshape(tensor.shape))), (case, name, "NaN")


def test_another_start_fails():
    """Parameters, inputs, draws and state that are not those the step was made from."""
    for case in CASES:
        snapshot = small(*case)
        unread = ("state/step",) if case[0] != "autoenc" else ()
        unread += tuple(f"input/{name}" for name in UNREAD[case[0]] if case[1] == "infer")
        for name, tensor in snapshot.tensors.items():
            group = name.split("/")[0]
            if group not in ("param", "input", "random", "state") or name in unread:
                continue
            if group == "random" and "dropout" in name:
                other = 1 - tensor
            elif name in ("input/labels", "state/step"):
                other = (tensor + 1) % 5
            elif not tensor.is_floating_point():
                other = tensor - 1
            elif case[:2] == ("seq2seq", "infer"):  # which has nothing to show but which tokens are best
                other = 2 - 3 * tensor
            else:
                other = 0.9 * tensor + 0.1
            assert failures(changed(snapshot, name, other)), (case, name)


def test_an_update_not_made_fails():
    """At speech's rate the whole update is below the tolerance of `after/`."""
    snapshot = small("speech", "train")
    name = "dense1.weight"
    still = changed(snapshot, f"after/{name}", snapshot.tensors[f"param/{name}"])
    assert f"update/{name}" in failures(still)


def test_removed_and_strange_tensors_fail():
    for workload, mode, skip in CASES:
        snapshot = small(workload, mode, skip)
        for name in snapshot.tensors:
            unread = mode == "infer" and name.removeprefix("input/") in UNREAD[workload]
            if unread or (name == "state/step" and workload != "autoenc"):
                continue
            assert failures(changed(snapshot, name, None))[name].verdict == "MISSING", (workload, mode, name)
        for name in ("param/more", "output/more", "more"):
            strange = Snapshot(snapshot.tensors | {name: torch.zeros(1)}, snapshot.config)
            assert failures(strange)[name].verdict == "UNEXPECTED"


def test_shapes_and_kinds_fail():
    for workload, mode, skip in CASES:
        snapshot = small(workload, mode, skip)
        for name, tensor in snapshot.tensors.items():
            if tensor.numel() > 1:
                for other, verdict in ((tensor[None, None], "SHAPE"), (tensor.double(), "TYPE")):
                    assert failures(changed(snapshot, name, other))[name].verdict == verdict, (workload, mode, name)
    longer = changed(small("speech", "train"), "input/features", torch.zeros(3, 14, 11))
    assert "features is 10 in param/dense1.weight" in failures(longer)["input/features"].note


def test_senseless_values_fail():
    snapshot = small("speech", "train")
    for name, value in (("input/frames", 1000), ("input/frames", -3), ("input/label_lengths", 1000)):
        assert failures(changed(snapshot, name, torch.full_like(snapshot.tensors[name], value))), (name, value)
    for workload, mode in itertools.product(("memnet", "seq2seq"), ("train", "infer")):
        snapshot = small(workload, mode)
        for name, tensor in snapshot.tensors.items():
            if not tensor.is_floating_point() and name.split("/")[0] in ("input", "random", "output"):
                if mode == "train" or name.removeprefix("input/") not in UNREAD[workload]:
                    assert failures(changed(snapshot, name, torch.full_like(tensor, 1000))), (workload, mode, name)


def test_a_translation_of_unknown_length_fails():
    snapshot = changed(small("seq2seq", "infer"), "output/tokens", None)
    for name in UNREAD["seq2seq"]:
        snapshot = changed(snapshot, f"input/{name}", None)
    assert failures(snapshot).keys() == {"output/tokens", "(the step)"}


def test_the_command_exits_as_it_says():
    with tempfile.TemporaryDirectory() as folder:
        good, bad, broken = (Path(folder) / f"{name}.safetensors" for name in ("good", "bad", "broken"))
        snapshot = small("autoenc", "train")
        write(good, snapshot)
        write(bad, changed(snapshot, "grad/decoder.output.bias", torch.zeros(12)))
        broken.write_bytes(good.read_bytes()[:100])

        def run(*arguments: object) -> tuple[int, str]:
            with contextlib.redirect_stdout(io.StringIO()) as text:
                return check.main([str(a) for a in arguments]), text.getvalue()

        assert run(good)[0] == 0 and "encoder.hidden.weight" in run(good)[1]
        assert run("-q", good)[1].count("\n") == 1
        code, text = run("-q", good, bad)
        assert code == 1 and "grad/decoder.output.bias" in text and "encoder.hidden.weight" not in text
        assert run("--tolerance", 1e-12, good)[0] == 1
        assert run(broken)[0] == 1 and run(Path(folder) / "none")[0] == 1
        for config in ({"workload": "none"}, {"mode": "none"}, {"schema": "none"}):
            write(bad, Snapshot(snapshot.tensors, snapshot.config | config))
            assert run(bad)[0] == 1 and "none" in run(bad)[1]


def test_goldens_pass():
    for path in sorted(GOLDEN.glob("*.safetensors")):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            passed = check.report(path, 1e-5, quiet=True)
        assert passed, text.getvalue()


def test_rounding_excuses_no_wrong_gradient():
    """Over three values a channel f32 is far off, but not by a tenth."""
    snapshot = make("residual", "train", SMALL["residual"] | {"size": 32}, 7)
    assert not failures(snapshot)
    for name, tensor in snapshot.tensors.items():
        if name.startswith("grad/stage"):
            assert name in failures(changed(snapshot, name, 1.1 * tensor)), name


# The benchmark runs.


def test_steps_are_timed():
    for workload, mode in itertools.product(SMALL, ("train", "infer")):
        start = bench.start(MODELS[workload], SMALL[workload], mode, torch.device("cpu"))
        step = bench.stepper(MODELS[workload], mode, *start, torch.device("cpu"))
        assert len(bench.measure(step, torch.device("cpu"), 1, 2)) == 2


if __name__ == "__main__":
    torch.set_num_threads(1)  # the tensors are too small for more
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from runner import run_tests

    sys.exit(run_tests(globals()))
