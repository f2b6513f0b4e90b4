#!/usr/bin/env python3
"""Repeats the step of each snapshot in f64 and compares every output, gradient and updated parameter.

A tensor's error is the largest difference of any element over the largest magnitude in the reference
tensor. Integers must be equal. Exit code 1 where anything differs by more than the tolerance, is missing
or is unexpected.

Some steps amplify rounding, as batch norm over three values does: what is beyond the tolerance passes as
`f32` where PyTorch's own f32 is at least a quarter as far from its f64, up to 1e-2 and no further: a worse step
says nothing about the program that made it.

`after/` is what the optimiser makes of the snapshot's own gradients, which have rows of their own: Adam
would turn the rounding of a gradient near zero into a whole step. `update/` is after - param on the scale
of the largest update, less one f32 rounding: a small update that is wrong hides in `after/`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from layout import bind
from snapshot import Snapshot, SnapshotError, grouped, read
from step import evaluate, expected, inputs_of, model_of, update

TOLERANCE = 1e-4
ROUNDING = 1e-2  # most that rounding excuses
F32 = torch.finfo(torch.float32)
SENSELESS = (RuntimeError, IndexError, KeyError)  # of torch on too many frames or no such word; no size known


class Row(NamedTuple):
    """The verdict on one tensor."""

    name: str
    shape: str
    error: float | None
    verdict: str  # ok, tie, f32; all else is a failure
    note: str = ""

    @property
    def failed(self) -> bool:
        return self.verdict not in ("ok", "tie", "f32")


def judge(name: str, value: Tensor, wanted: Tensor, tolerance: float) -> Row:
    """Compares on the reference tensor's own scale."""
    value = value.reshape(wanted.shape)
    if not wanted.is_floating_point():
        different = (value != wanted).flatten()
        count = int(different.sum())
        note = f"{count} of {different.numel()} differ, {first(different, value, wanted)}" if count else ""
        return Row(name, str(list(wanted.shape)), float(count), "FAIL" if count else "ok", note)
    return verdict(name, (value - wanted).abs(), wanted, value, wanted, tolerance)


def judge_update(name: str, value: Tensor, wanted: Tensor, before: Tensor, tolerance: float) -> Row:
    """Compares what was added to a parameter, whose sum with it was rounded to f32."""
    difference = ((value - wanted).abs() - F32.eps * wanted.abs()).clamp(min=0)
    return verdict(name, difference, wanted - before, value - before, wanted - before, tolerance)


def verdict(name: str, difference: Tensor, scale: Tensor, value: Tensor, wanted: Tensor, tolerance: float) -> Row:
    shape = str(list(wanted.shape))
    if wanted.numel() == 0:
        return Row(name, shape, 0.0, "ok")
    if not wanted.isfinite().all():
        return Row(name, shape, None, "FAIL", "the reference is not finite")
    error = (difference.max() / scale.abs().max().clamp(min=F32.tiny)).item()
    if error <= tolerance:
        return Row(name, shape, error, "ok")
    worst = difference.nan_to_num(nan=torch.inf).flatten()  # NaN in the snapshot
    return Row(name, shape, error, "FAIL", "worst " + first(worst == worst.max(), value, wanted))


def first(mask: Tensor, value: Tensor, wanted: Tensor) -> str:
    """The first element of a flat mask, with both values."""
    at = int(mask.nonzero()[0])
    index = [int(i) for i in torch.unravel_index(torch.tensor(at), wanted.shape)]
    return f"at {index}: {value.flatten()[at].item():.7g}, expected {wanted.flatten()[at].item():.7g}"


def check(snapshot: Snapshot, tolerance: float = TOLERANCE) -> list[Row]:
    """A row for each tensor that is compared, or that cannot be."""
    model = model_of(snapshot.workload)
    specs = expected(model, snapshot)
    sizes, problems = bind(specs, snapshot.tensors)
    rows = [Row(p.name, "", None, p.verdict, p.text) for p in problems]
    unusable = {p.name for p in problems}
    if any(p.blocks for p in problems):
        return rows + [Row("(the step)", "", None, "FAIL", "cannot be repeated without the above")]

    params, inputs = snapshot.group("param"), inputs_of(snapshot, specs, sizes)
    try:
        outputs, gradients = evaluate(model, params, inputs, snapshot.group("random"), snapshot.mode)
    except SENSELESS as error:
        return rows + [Row("(the step)", "", None, "FAIL", f"cannot be repeated: {error}")]

    def compare(group: str, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
        """Adds the group's rows; the snapshot's tensors that could be compared."""
        given = {n: t for n, t in snapshot.group(group).items() if n in wanted and f"{group}/{n}" not in unusable}
        rows.extend(judge(f"{group}/{n}", t, wanted[n], tolerance) for n, t in given.items())
        return given

    def allow_rounding(wanted: dict[str, Tensor]) -> list[Row]:
        """Errors that f32 makes of the same step."""
        if not any(row.failed and row.error is not None for row in rows):
            return rows
        single = [{n: t.float() if t.is_floating_point() else t for n, t in snapshot.group(g).items()}
                  for g in ("param", "input", "random")]
        rounded = [grouped(g, t) for g, t in zip(("output", "grad"), evaluate(model, *single, snapshot.mode))]
        rounded = rounded[0] | rounded[1]
        errors = {n: (rounded[n].double() - t).abs().max() / t.abs().max().clamp(min=F32.tiny)
                  for n, t in wanted.items() if t.is_floating_point() and t.numel() and n in rounded}
        bounds = {n: min(4 * error.item(), ROUNDING) for n, error in errors.items()}
        return [
            row._replace(verdict="f32", note=f"four times the error of PyTorch in f32 is {bounds[row.name]:.1e}")
            if row.failed and row.error is not None and row.error <= bounds.get(row.name, 0.0)
            else row
            for row in rows
        ]

    given = compare("output", outputs)
    if hasattr(model, "discrete") and snapshot.mode == "infer":
        rows = allow_ties(rows, model, given, inputs)
    if hasattr(model, "shortfall") and snapshot.mode == "infer":
        rows = allow_paths(rows, model, params, inputs, given, tolerance)
    if snapshot.mode == "train":
        given = compare("grad", gradients)
        rows = allow_rounding(grouped("output", outputs) | grouped("grad", gradients))
        own = given if given.keys() == gradients.keys() else gradients
        wanted, _ = update(model, params, inputs, outputs, own, snapshot.group("state"), snapshot.step)
        for name, value in compare("after", wanted).items():
            rows.append(judge_update(f"update/{name}", value, wanted[name], params[name], tolerance))
    return rows


def allow_ties(rows: list[Row], model: ModuleType, given: dict[str, Tensor], inputs: dict[str, Tensor]) -> list[Row]:
    """Decisions that differ stand where they follow from the snapshot's own outputs, and those are right."""
    decided = {f"output/{name}" for name, tensor in given.items() if not tensor.is_floating_point()}
    if not decided or any(row.failed and row.name not in decided for row in rows):
        return rows
    own = grouped("output", model.discrete(given, inputs))
    given = grouped("output", given)
    return [
        row._replace(verdict="tie", note=f"within the tolerance of a tie: {row.note}")
        if row.failed and torch.equal(own[row.name], given[row.name])
        else row
        for row in rows
    ]


def allow_paths(
    rows: list[Row], model: ModuleType, params: dict[str, Tensor], inputs: dict[str, Tensor], given: dict[str, Tensor],
    tolerance: float,
) -> list[Row]:
    """Decisions that differ stand where each, after the snapshot's own before it, is within the tolerance of the best.

    After one of two that are equal in f32, all that follow may be others, and are as right.
    """
    if not given or not any(row.failed for row in rows):
        return rows
    try:
        below = {f"output/{name}": value for name, value in model.shortfall(params, inputs, given).items()}
    except SENSELESS:
        return rows
    return [
        row._replace(verdict="tie", note=f"at most {below[row.name].max():.1e} below the best: {row.note}")
        if row.failed and row.name in below and below[row.name].max() <= tolerance
        else row
        for row in rows
    ]


def table(rows: list[Row]) -> str:
    width = max((len(row.name) for row in rows), default=0)
    shapes = max((len(row.shape) for row in rows), default=0)
    lines = []
    for row in rows:
        error = "" if row.error is None else f"{row.error:.2e}"
        lines.append(f"  {row.name:{width}}  {row.shape:{shapes}}  {error:>8}  {row.verdict:10} {row.note}".rstrip())
    return "\n".join(lines)


def report(path: Path, tolerance: float, quiet: bool) -> bool:
    """Checks a file and prints its table; whether it passed."""
    try:
        snapshot = read(path)
        rows = check(snapshot, tolerance)
    except SnapshotError as error:
        print(f"{path}: {error}")
        return False
    failed = [row for row in rows if row.failed]
    shown = [row for row in rows if row.verdict not in ("ok", "f32")] if quiet else rows
    if shown:
        print(table(shown))
    worst = max((row.error for row in rows if row.verdict == "ok" and row.error is not None), default=0.0)
    rounding = sum(row.verdict == "f32" for row in rows)
    result = f"{len(failed)} of {len(rows)} FAILED" if failed else f"{len(rows)} agree, worst {worst:.2e}"
    if rounding and not failed:
        result += f", {rounding} of them as far as f32 goes"
    print(f"{path}: {snapshot.workload} {snapshot.mode}: {result}")
    return not failed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("snapshots", nargs="+", type=Path, metavar="SNAPSHOT.safetensors")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="largest error [%(default)s]")
    parser.add_argument("-q", "--quiet", action="store_true", help="only what fails, and a line for each file")
    given = parser.parse_args(arguments)
    return 0 if all([report(path, given.tolerance, given.quiet) for path in given.snapshots]) else 1


if __name__ == "__main__":
    sys.exit(main())
