#!/usr/bin/env python3
"""meganeura as a peer: `../run.py` starts it for a cell.

The models are written in meganeura (`src/models/`) and compiled by cargo, once. It computes through Vulkan, on the first
adapter that it finds fit; what it lacks for a model, `src/models.rs` says.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "pytorch")]
import serve
from bench import start, trained_values
from compiled import Program, Values, built, laid_out, version
from step import opened


def prepare(arguments) -> tuple[dict, Callable[[float], dict]]:
    snapshot, model, inputs = opened(arguments.snapshot)
    workload, mode = snapshot.workload, snapshot.mode
    values = Values(workload, mode, snapshot.group("param"), inputs, snapshot.group("random"))
    path = built(HERE)
    program = Program(path, values, arguments.computed)
    computed = load_file(arguments.computed)
    back = {name: laid_out(workload, name, tensor, back=True).contiguous() for name, tensor in computed.items()}
    save_file(back, arguments.computed)
    if arguments.preset:
        program.close()
        sizes = dict(model.SIZES[arguments.preset])
        params, inputs = start(model, sizes, mode, torch.device("cpu"))
        draws = model.draws(sizes, mode, torch.Generator().manual_seed(1))
        values = Values(workload, mode, params, inputs, draws)
        with tempfile.TemporaryDirectory() as folder:
            program = Program(path, values, Path(folder) / "computed")
    about = program.about
    return {
        "framework": "meganeura", "version": version(HERE), "how": "Vulkan",
        "device": {"name": about["name"], "driver": about["driver"], "backend": "vulkan",
                   "type": "cpu" if about["software"] else "other"},
        "clock": "wall", "parameters": trained_values(model, mode, values.params), "batch": values.batch,
    }, program.turn


if __name__ == "__main__":
    chosen = serve.arguments(__doc__)
    serve.serve(lambda: prepare(chosen))
