#!/usr/bin/env python3
"""Makes a golden from a snapshot: its parameters, inputs, draws and state stay, but outputs, gradients and
updated parameters are those that PyTorch computes in f64. `cargo test` compares against goldens, so that
the agreement is checked where there is no Python."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from snapshot import Snapshot, SnapshotError, read, write
from step import repeat


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("golden", type=Path)
    arguments = parser.parse_args()
    try:
        snapshot = read(arguments.snapshot)
        write(arguments.golden, Snapshot(snapshot.tensors | repeat(snapshot), snapshot.config))
    except SnapshotError as error:
        print(f"{arguments.snapshot}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
