#!/usr/bin/env python3
"""Times a step in PyTorch, the yardstick for speed: strict f32 (TF32 off), cudnn.benchmark on.

A training step draws its dropout and noise, runs forward and backward, clips and updates with torch.optim;
an inference step runs forward, and decodes where the workload does. The batch is on the device before.
Prints JSON; times are of the device on CUDA, of the wall elsewhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from layout import shape_of
from optim import SGD, Adam, CentredRMSProp, Momentum, Nesterov, Optimizer
from step import MODELS

HOWS = ("eager", "compile", "graphs")


def torch_optimizer(rule: Optimizer, params: dict[str, Tensor], fused: bool) -> torch.optim.Optimizer:
    """The library's own optimiser, in its fastest eager form."""
    weights = [w for name, w in params.items() if name.endswith("weight")]
    others = [w for name, w in params.items() if not name.endswith("weight")]
    groups = [{"params": weights, "weight_decay": rule.decay}, {"params": others, "weight_decay": 0.0}]
    match rule:
        case SGD():
            return torch.optim.SGD(groups, lr=rule.rate, fused=fused)
        case Momentum() | Nesterov():
            nesterov = isinstance(rule, Nesterov)
            return torch.optim.SGD(groups, lr=rule.rate, momentum=rule.momentum, nesterov=nesterov, fused=fused)
        case Adam():
            return torch.optim.Adam(groups, lr=rule.rate, betas=(rule.beta1, rule.beta2), eps=rule.epsilon, fused=fused)
        case CentredRMSProp():  # the library adds epsilon outside the root: another number, the same work
            return torch.optim.RMSprop(groups, lr=rule.rate, alpha=rule.rho, eps=rule.epsilon, centered=True)
    raise TypeError(f"no torch.optim for {rule}")


def strict(device: torch.device) -> None:
    """f32 throughout, and the library free to choose its algorithms."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if device.type == "cuda":
        # By its number: the name alone is refused.
        torch.cuda.set_device(device.index or 0)


def start(model, sizes: dict[str, int], mode: str, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Random parameters and inputs of these sizes."""
    generator = torch.Generator().manual_seed(1)
    params = {}
    for name, spec in model.names(mode).items():
        group, _, name = name.partition("/")
        if group == "param":
            params[name] = model.initial(name, shape_of(spec, sizes), generator).to(device)
    return params, {name: value.to(device) for name, value in model.example(sizes, generator).items()}


def trained_values(model, mode: str, params: dict[str, Tensor]) -> int:
    """Values that are trained, which is what a model's size is told as: without running statistics and copies."""
    specs = model.names(mode)
    return sum(value.numel() for name, value in params.items() if specs[f"param/{name}"].trained)


def prepared(model, how: str) -> Callable[..., dict[str, Tensor]]:
    """The model's forward pass, compiled where that is asked for."""
    return torch.compile(model.forward) if how == "compile" else model.forward


def stepper(
    model, mode: str, params: dict[str, Tensor], inputs: dict[str, Tensor], device: torch.device, how: str = "eager"
) -> Callable[[], None]:
    """A step over one batch."""
    if how == "graphs" and device.type != "cuda":
        raise ValueError("CUDA graphs need a CUDA device")
    forward = prepared(model, how)
    if mode == "infer":

        @torch.inference_mode()
        def infer() -> None:
            forward(params, inputs, {}, mode)

        return captured(infer) if how == "graphs" else infer

    trained = {n: w.requires_grad_() for n, w in params.items() if model.names(mode)[f"param/{n}"].trained}
    leaves = list(trained.values())
    optimizer = torch_optimizer(model.OPTIMIZER, trained, fused=device.type == "cuda")
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = how == "graphs"

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        forward(params, inputs, {}, mode)["loss"].backward()
        if model.OPTIMIZER.clip is not None:
            torch.nn.utils.clip_grad_norm_(leaves, model.OPTIMIZER.clip)
        optimizer.step()

    return captured(train) if how == "graphs" else train


def captured(step: Callable[[], None]) -> Callable[[], None]:
    """The step's kernels as one CUDA graph; an error where it waits for the device in the middle."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure(step: Callable[[], None], device: torch.device, warm_up: int, steps: int) -> list[int]:
    """Nanoseconds of each step."""
    for _ in range(warm_up):
        step()
    if device.type != "cuda":
        times = [time.perf_counter_ns()]
        for _ in range(steps):
            step()
            times.append(time.perf_counter_ns())
        return [end - start for start, end in zip(times, times[1:])]
    events = [torch.cuda.Event(enable_timing=True) for _ in range(steps + 1)]
    events[0].record()
    for event in events[1:]:
        step()
        event.record()
    torch.cuda.synchronize(device)
    return [round(start.elapsed_time(end) * 1e6) for start, end in zip(events, events[1:])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--workload", choices=MODELS, required=True)
    parser.add_argument("-m", "--mode", choices=("train", "infer"), default="train")
    parser.add_argument("--preset", choices=("tiny", "full"), default="full")
    parser.add_argument("-b", "--batch", type=int, help="[the preset's]")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--how", choices=HOWS, default="eager", help="[%(default)s]")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor [PyTorch's default]")
    parser.add_argument("--warm-up", type=int, default=5, metavar="N", help="steps before [%(default)s]")
    parser.add_argument("--steps", type=int, default=30, metavar="N", help="steps timed [%(default)s]")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("no CUDA device here; --device cpu runs on the processor")
    if min(arguments.steps, arguments.batch or 1) < 1:
        parser.error("--steps and --batch must be at least 1")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    strict(device)

    model = MODELS[arguments.workload]
    sizes = dict(model.SIZES[arguments.preset])
    sizes["batch"] = arguments.batch or sizes["batch"]
    params, inputs = start(model, sizes, arguments.mode, device)
    step = stepper(model, arguments.mode, params, inputs, device, arguments.how)
    times = measure(step, device, arguments.warm_up, arguments.steps)
    median = statistics.median(times)
    cuda = device.type == "cuda"
    result = {
        "framework": "pytorch", "version": torch.__version__,
        "device": torch.cuda.get_device_name(device) if cuda else platform.processor() or platform.machine(),
        "clock": "cuda events" if cuda else "wall", "precision": "f32", "how": arguments.how,
        "workload": arguments.workload, "mode": arguments.mode, "preset": arguments.preset, **sizes,
        "median_ns": round(median), "min_ns": min(times), "max_ns": max(times),
        "samples_per_s": sizes["batch"] / median * 1e9, "step_ns": times,
    }
    if cuda:
        result["peak_memory_bytes"] = torch.cuda.max_memory_allocated(device)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
