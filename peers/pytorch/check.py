#!/usr/bin/env python3
"""Repeats the step of each snapshot in f64 and compares every output, gradient and updated parameter.

A tensor's error is the largest difference of any element over the largest magnitude in the reference
tensor. Integers must be equal. Exit code 1 where anything differs by more than the tolerance, is missing
or is unknown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from snapshot import Snapshot
from step import model_of, repeat


def error_of(got: torch.Tensor, wanted: torch.Tensor) -> float:
    if got.shape != wanted.shape:
        return float("inf")
    if not wanted.is_floating_point():
        return 0.0 if torch.equal(got.long(), wanted.long()) else float("inf")
    difference = (got.double() - wanted.double()).abs().max().item() if wanted.numel() else 0.0
    if difference != difference:
        return float("inf")
    scale = wanted.abs().max().item() if wanted.numel() else 0.0
    return difference / scale if scale > 0 else (0.0 if difference == 0 else float("inf"))


def check(path: Path, tolerance: float, quiet: bool) -> bool:
    snapshot = Snapshot(path)
    config = snapshot.config
    model = model_of(config["workload"])
    print(f"{path}: {config['workload']} {config['mode']}, batch {config.get('batch')}")
    missing = [f"param/{n}" for n in model.PARAMETERS if n not in snapshot.group("param")]
    missing += [f"random/{n}" for n in model.randoms(config["mode"]) if n not in snapshot.group("random")]
    unknown = [f"param/{n}" for n in snapshot.group("param") if n not in model.PARAMETERS]
    if missing or unknown:
        print(f"  FAILED: missing {missing}, unknown {unknown}")
        return False
    passed = True
    for group, tensors in repeat(snapshot).items():
        given = snapshot.group(group)
        for name in sorted(set(tensors) | set(given)):
            if name not in tensors or name not in given:
                where = "the snapshot" if name in tensors else "the model"
                print(f"  FAILED  {group}/{name} is not in {where}")
                passed = False
                continue
            error = error_of(given[name], tensors[name])
            good = error <= tolerance
            passed &= good
            if not (quiet and good):
                verdict = "ok" if good else "FAILED"
                print(f"  {verdict:6}  {error:9.2e}  {group}/{name} {list(tensors[name].shape)}")
    print("  all agree" if passed else "  FAILED")
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshots", nargs="+", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("-q", "--quiet", action="store_true", help="only what fails")
    arguments = parser.parse_args()
    return 0 if all([check(p, arguments.tolerance, arguments.quiet) for p in arguments.snapshots]) else 1


if __name__ == "__main__":
    sys.exit(main())
