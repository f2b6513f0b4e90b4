#!/usr/bin/env python3
"""Runs fathom and other frameworks in turns (A B A B), on the same models, and tells the ratio of their times.

First fathom's step of every cell is held against PyTorch in f64, and so is the peer's, from the same parameters,
inputs and draws: where one of the two fails, they are not compared. Every turn becomes a record, in a folder for
fathom and one for each peer, that `fathom compare --across` and `fathom report` take. A cell whose records are all
there is not measured again, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import figures
import record
from answering import Answering

HERE = Path(__file__).resolve().parent
WORKLOADS = ("seq2seq", "memnet", "speech", "autoenc", "residual", "vgg", "alexnet", "deepq")
MODES = ("train", "infer")
CLOCKS = ("device", "wall", "cpu")


class Peer(NamedTuple):
    """A framework's folder under peers/ holds `peer.py`."""

    name: str
    modes: tuple[str, ...] = MODES


PEERS = {peer.name: peer for peer in (
    *map(Peer, ("pytorch", "burn", "tinygrad", "meganeura")), *(Peer(name, ("infer",)) for name in ("onnxruntime", "ncnn")),
)}


class Cell(NamedTuple):
    workload: str
    mode: str

    def __str__(self) -> str:
        return f"{self.workload} {self.mode}"


class Refused(Exception):
    """Why a cell is not compared."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def driven_by(threads: int | None) -> dict[str, str]:
    """An environment in which Mesa's software driver computes by that many threads.

    It counts its workers: without any the thread that submits computes. One worker is handed each dispatch, and both wait
    for each other.
    """
    return os.environ | ({"LP_NUM_THREADS": str(threads if threads > 1 else 0)} if threads else {})


class Fathom:
    """Our side."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.program, self.out = arguments.fathom, arguments.out
        self.where = ["--device", arguments.device] if arguments.device else []
        self.preset, self.time = arguments.preset, arguments.time
        # Its records are kept in our folder alone, and so is the tuning table that they share.
        self.environment = driven_by(arguments.threads) | {"FATHOM_RECORDS": str(self.out / "kept")}

    def call(self, *words: str) -> None:
        done = subprocess.run(
            [str(self.program), *words, *self.where, "-q"], env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        if done.returncode:
            raise Refused(f"`{self.program.name} {' '.join(words)}` failed: {done.stderr.strip()}")

    def snapshot(self, cell: Cell, preset: str) -> Path:
        path = self.out / f"{cell.workload}-{cell.mode}.safetensors"
        self.call("snapshot", "-w", cell.workload, "-m", cell.mode, "--preset", preset, "--save", str(path))
        return path

    def turn(self, cell: Cell, path: Path) -> None:
        self.call("run", "-w", cell.workload, "-m", cell.mode, "--preset", self.preset, "--time", str(self.time),
                  "--no-profile", "--save", str(path))


class Running(Answering):
    """A peer's program, built and waiting for its turn."""

    refusal = Refused

    def __init__(self, peer: Peer, snapshot: Path, arguments: argparse.Namespace) -> None:
        self.name = peer.name
        self.computed = snapshot.with_suffix(f".{peer.name}")
        command = [sys.executable, str(HERE / peer.name / "peer.py"), "--snapshot", str(snapshot),
                   "--computed", str(self.computed)]
        if arguments.preset != arguments.check_preset:
            command += ["--preset", arguments.preset]
        if arguments.threads:
            command += ["--threads", str(arguments.threads)]
        command += arguments.option.get(peer.name, [])
        with open(arguments.out / f"{peer.name}.log", "a") as log:
            self.start(command, stderr=log, env=driven_by(arguments.threads))
        # Some exports and compilers take hours over a recurrence of hundreds of frames.
        patience = threading.Timer(arguments.patience, self.process.kill)
        patience.start()
        try:
            self.about = self.answer()
        finally:
            patience.cancel()

    def ended(self) -> str:
        return f"it ended, or was ended after --patience; {self.name}.log has what it said"


def held_against_f64(snapshot: Path, computed: Path | None) -> dict:
    """How far fathom's step, or what a peer computed of the same, lies from PyTorch in f64.

    Raises [`Refused`] where that is too far. Of a peer outputs and gradients are compared: what an optimiser makes of
    them is arithmetic that differs in the last digit or, in RMSprop's epsilon, by definition.
    """
    sys.path.insert(1, str(HERE / "pytorch"))
    import check
    from safetensors.torch import load_file
    from snapshot import Snapshot, read

    step = read(snapshot)
    groups = ("output", "grad", "after", "update")
    if computed is not None:
        kept = {name: t for name, t in step.tensors.items() if name.split("/")[0] not in groups}
        step, groups = Snapshot(kept | load_file(computed), step.config), groups[:2]
    rows = [row for row in check.check(step) if row.name.split("/")[0] in groups or row.name.startswith("(")]
    failed = [row for row in rows if row.failed]
    if failed or not rows:
        raise Refused(f"not the same computation:\n{check.table(failed)}")
    worst = max(rows, key=lambda row: row.error or 0.0)
    return {"rows": len(rows), "worst": worst.name, "error": worst.error or 0.0}


def agreed(cell: Cell, running: Running, ours: dict, reduced: bool, checked: dict) -> dict:
    """A peer as its records describe it; refuses where the cell is another one."""
    run, about = ours["runs"][0], running.about
    for what in ("parameters", "batch"):
        if run[what] != about[what]:
            raise Refused(f"{what}: {run[what]} in fathom, {about[what]} in {running.name}")
    return about | {"checked": checked | {"reduced": checked["rows"] if reduced else 0}}


def program_ns(timing: dict) -> float:
    """A step as a program meets it: encoding it is the host's work, and the wall time leaves it out."""
    return timing["wall_median_ns"] + timing["encode_ns"]


def ratios(ours: list[dict], theirs: list[dict]) -> dict[str, figures.Ratio]:
    """How many times as long the peer takes, from the records of each side's turns."""
    a, b = ([turn["runs"][0]["timing"] for turn in side] for side in (ours, theirs))
    found = {"wall": figures.ratio(*([program_ns(timing) for timing in side] for side in (a, b)))}
    if all(timing["source"] == "timestamps" for timing in a + b):
        found["device"] = figures.ratio(*([timing["step"]["median_ns"] for timing in side] for side in (a, b)))
    if all(timing.get("cpu_ns") for timing in a + b):
        found["cpu"] = figures.ratio(*([timing["cpu_ns"] for timing in side] for side in (a, b)))
    return found


def turns(out: Path, side: str, cell: Cell, rounds: int) -> list[Path]:
    return [out / side / f"{cell.workload}-{cell.mode}-{i}.json" for i in range(1, rounds + 1)]


def load(paths: list[Path]) -> list[dict]:
    return [json.loads(path.read_text()) for path in paths]


def measure(cell: Cell, fathom: Fathom, arguments: argparse.Namespace) -> Iterator[str]:
    """Measures a cell in turns; yields the peers for which all turns are there."""
    peers = [PEERS[name] for name in arguments.peer if cell.mode in PEERS[name].modes]
    sides = {name: turns(arguments.out, name, cell, arguments.rounds) for name in ["fathom", *(p.name for p in peers)]}
    if all(path.exists() for paths in sides.values() for path in paths):
        say(f"{cell}: already measured")
        yield from (peer.name for peer in peers)
        return
    snapshot = fathom.snapshot(cell, arguments.check_preset)
    started: list[Running] = []
    checks: dict[str, dict] = {}
    try:
        held_against_f64(snapshot, None)
        for peer in peers:
            try:
                program = Running(peer, snapshot, arguments)
                started.append(program)
                checks[peer.name] = held_against_f64(snapshot, program.computed)
            except Refused as why:
                say(f"{cell}: {peer.name}: {why}")
        running = [program for program in started if program.name in checks]
        for i in range(arguments.rounds if running else 0):
            fathom.turn(cell, sides["fathom"][i])
            ours = json.loads(sides["fathom"][i].read_text())
            if ours["runs"][0]["verified"]["status"] != "passed":
                raise Refused("fathom's kernels were not verified")
            for program in running:
                about = agreed(cell, program, ours, arguments.preset != arguments.check_preset, checks[program.name])
                made = record.record(ours, about, program.turn(arguments.time), sys.argv)
                record.save(sides[program.name][i], made)
    finally:
        for program in started:
            program.close()
            program.computed.unlink(missing_ok=True)
        snapshot.unlink(missing_ok=True)
    yield from (program.name for program in running)


def row(cell: Cell, name: str, arguments: argparse.Namespace) -> dict:
    ours, theirs = (load(turns(arguments.out, side, cell, arguments.rounds)) for side in ("fathom", name))
    peer = theirs[0]["tool"]["peer"]
    rates = [side[0]["runs"][0]["batch"] / figures.median(
        [program_ns(turn["runs"][0]["timing"]) for turn in side]) * 1e9 for side in (ours, theirs)]
    return {
        "workload": cell.workload, "mode": cell.mode, "peer": f"{peer['name']} {peer['version']} ({peer['how']})",
        "samples_per_s": rates[0], "peer_samples_per_s": rates[1], "turns": arguments.rounds,
        **{f"{clock}_ratio": ratio._asdict() for clock, ratio in ratios(ours, theirs).items()},
    }


def values(found: dict) -> list[str]:
    """A row's ratios, a dash for a clock that one side lacks."""
    known = [found.get(f"{clock}_ratio") for clock in CLOCKS]
    return [str(figures.Ratio(**ratio)) if ratio else "-" for ratio in known]


def table(rows: list[dict]) -> str:
    """For people, in Markdown: above 1 fathom is the faster."""
    lines = [["workload", "mode", "peer", "fathom/s", "peer/s", *(f"{clock}: peer / fathom" for clock in CLOCKS)]]
    for found in rows:
        lines.append([found["workload"], found["mode"], found["peer"], f"{found['samples_per_s']:.4g}",
                      f"{found['peer_samples_per_s']:.4g}", *values(found)])
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def names(known: tuple[str, ...] | list[str]):
        def parse_names(text: str) -> list[str]:
            wanted = text.split(",") if text != "all" else list(known)
            if unknown := [name for name in wanted if name not in known]:
                raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of: {', '.join(known)}")
            return wanted
        return parse_names

    parser.add_argument("--peer", type=names(list(PEERS)), default=["pytorch"], metavar="NAME,..",
                        help=f"of {', '.join(PEERS)} [pytorch]")
    parser.add_argument("-w", "--workload", type=names(WORKLOADS), default=list(WORKLOADS), metavar="NAME,..")
    parser.add_argument("-m", "--mode", type=names(MODES), default=list(MODES), metavar="MODE,..")
    parser.add_argument("--preset", choices=("tiny", "full"), default="tiny", help="[%(default)s]")
    parser.add_argument("--check-preset", choices=("tiny", "full"), default="tiny",
                        help="size at which both are held against f64 first; full takes hours [%(default)s]")
    parser.add_argument("-d", "--device", help="fathom's, as its own --device takes it")
    parser.add_argument("--threads", type=int, metavar="N", help="of a peer on the processor, and of Mesa's software driver")
    parser.add_argument("--option", action="append", default=[], metavar="PEER:WORDS",
                        help="more for a peer's program, as in pytorch:'--how compile' (see PEER/peer.py --help)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each side [%(default)s]")
    parser.add_argument("--time", type=float, default=1.0, metavar="SECONDS", help="of a turn [%(default)s]")
    parser.add_argument("--patience", type=float, default=600.0, metavar="SECONDS",
                        help="for a peer to build a cell [%(default)s]")
    parser.add_argument("--fathom", type=Path, default=HERE.parent / "target/release/fathom", help="[%(default)s]")
    parser.add_argument("--out", type=Path, default=Path("target/peers"), metavar="FOLDER", help="[%(default)s]")
    arguments = parser.parse_args(words)
    options: dict[str, list[str]] = {}
    for text in arguments.option:
        name, _, more = text.partition(":")
        if name not in PEERS:
            parser.error(f"--option {text}: '{name}' is none of: {', '.join(PEERS)}")
        options.setdefault(name, []).extend(more.split())
    arguments.option = options
    if min(arguments.rounds, arguments.time) <= 0:
        parser.error("--rounds and --time must be above 0")
    return arguments


def main() -> int:
    arguments = parse(sys.argv[1:])
    for side in ("fathom", *arguments.peer):
        (arguments.out / side).mkdir(parents=True, exist_ok=True)
    fathom = Fathom(arguments)
    rows, refused = [], 0
    for cell in [Cell(workload, mode) for workload in arguments.workload for mode in arguments.mode]:
        wanted = [name for name in arguments.peer if cell.mode in PEERS[name].modes]
        done: list[str] = []
        try:
            done = list(measure(cell, fathom, arguments))
        except Refused as why:
            say(f"{cell}: {why}")
        refused += len(wanted) - len(done)
        for name in done:
            rows.append(row(cell, name, arguments))
            told = ", ".join(f"{value} by {clock}" for clock, value in zip(CLOCKS, values(rows[-1])))
            say(f"{cell}: {name} / fathom: {told}")
        record.save(arguments.out / "ratios.json", rows)
    print(table(rows))
    if refused:
        say(f"{refused} comparisons were refused or could not be made: see above")
    return 1 if refused else 0


if __name__ == "__main__":
    # Also where it is ended by `timeout`, or runs in a shell's background, which ignores Ctrl-C.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted: the same command goes on from here")
        sys.exit(130)
