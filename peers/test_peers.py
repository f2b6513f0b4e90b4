#!/usr/bin/env python3
"""The tests of what the peers share: ratios, records, turns. They need nothing but Python."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import answering
import figures
import record
import run
import serve
from runner import run_tests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(1, str(ROOT / "peers/ncnn"))
import converted

REFERENCE = json.loads((ROOT / "assets/reference-tiny.json").read_text())
OURS = json.loads((ROOT / "tests/cli/record.json").read_text())
PEER = json.loads((ROOT / "tests/cli/peer.json").read_text())
ABOUT = {
    "framework": "PyTorch", "version": "2.9.0", "how": "eager, 1 thread", "clock": "wall", "threads": 1,
    "device": {"name": "A processor", "type": "cpu", "driver": "ATen"}, "build_ns": 7, "batch": 4, "parameters": 80712,
    "checked": {"rows": 24, "reduced": 0, "worst": "grad/w", "error": 2e-6},
}
TURN = {
    "time_s": 1.0, "steps_per_submit": 7, "step_ns": [3e6, 3.1e6, 2.9e6, 3e6, 3.05e6, 2.95e6, 9e6, 3e6],
    "wall_ns": [3e6, 3.1e6, 2.9e6, 3e6, 3.05e6, 2.95e6, 9e6, 3e6], "cpu_ns": 2.9e6,
}


def close(a: object, b: object) -> bool:
    """Equal but for the last digits."""
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == b or (None not in (a, b) and math.isclose(a, b, rel_tol=1e-9))


def cell_of_ours() -> dict:
    """The fixture with its first run alone, as a turn of fathom has it."""
    return OURS | {"runs": OURS["runs"][:1]}


def test_every_peer_has_its_program_and_its_row():
    told = (ROOT / "peers/README.md").read_text()
    for name in run.PEERS:
        folder = ROOT / "peers" / name
        assert (folder / "peer.py").exists(), name
        assert any((folder / kept).exists() for kept in ("requirements.txt", "Cargo.toml")), name
        assert f"| `{name}` |" in told, name


def test_the_id_is_the_one_that_fathom_gives():
    assert record.content_id(REFERENCE) == REFERENCE["id"]


def test_numbers_are_laid_out_as_rfc_8785_says():
    wanted = {
        1000.0: "1000", -0.0: "0", 1e21: "1e+21", 95.976837158203125: "95.97683715820312", 1e-6: "0.000001",
        1.5e-7: "1.5e-7", -0.00123: "-0.00123", 123456789012345680000.0: "123456789012345680000", 5e-324: "5e-324",
        333333333.33333329: "333333333.3333333", 4.5: "4.5", 100.0: "100",
    }
    assert {record.number(figure) for figure in wanted} == set(wanted.values())
    assert record.canonical({"é": [True, None, "\n"], "a": 2**60}) == '{"a":1152921504606846976,"é":[true,null,"\\n"]}'


def test_summaries_are_those_of_fathom_to_the_digit():
    for cell in REFERENCE["runs"]:
        timing = cell["timing"]
        made = figures.summary(timing["step_ns"])
        for name, figure in timing["step"].items():
            assert close(figure, made[name]), (cell["workload"], cell["mode"], name, figure, made[name])
        assert close(timing["wall_median_ns"], figures.median(timing["wall_ns"]))


def test_a_ratio_is_the_median_over_the_turns_and_not_the_ratio_of_medians():
    # The machine was twice as slow in the second turn, for both.
    assert figures.ratio([1.0, 2.0, 1.0], [3.0, 6.0, 3.0]) == (3.0, 3.0, 3.0)
    assert figures.ratio([1.0, 1.0, 1.0], [2.0, 8.0, 4.0]) == (4.0, 2.0, 8.0)
    nine = figures.ratio([1.0] * 9, [5.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0])
    assert nine == (5.0, 2.0, 8.0), nine  # 95 % from six turns on: the second from either end of nine
    try:
        figures.ratio([1.0], [1.0, 2.0])
    except ValueError as error:
        assert "1 turns of ours and 2" in str(error)
    else:
        raise AssertionError("turns that have no partner were compared")


def test_a_program_waits_for_encoding_as_well_and_no_clock_is_compared_with_another():
    def turn(source: str, step: float, wall: float, encode: float, cpu: float | None) -> dict:
        timing = {"source": source, "step": {"median_ns": step}, "wall_median_ns": wall, "encode_ns": encode}
        return {"runs": [{"timing": timing | ({"cpu_ns": cpu} if cpu else {})}]}

    ours = [turn("timestamps", 9.0, 10.0, 2.0, 20.0)]
    of_the_wall = run.ratios(ours, [turn("wall", 24.0, 24.0, 0.0, 30.0)])
    assert of_the_wall.keys() == {"wall", "cpu"}
    assert (of_the_wall["wall"].middle, of_the_wall["cpu"].middle) == (2.0, 1.5)
    of_the_device = run.ratios(ours, [turn("timestamps", 18.0, 24.0, 0.0, None)])
    assert of_the_device.keys() == {"wall", "device"} and of_the_device["device"].middle == 2.0


def test_a_peer_is_written_as_the_record_that_the_tests_of_fathom_read():
    made = record.record(cell_of_ours(), ABOUT, TURN, ["peers/run.py"])
    assert made["id"] == record.content_id(made)
    date = {"created": PEER["created"]}
    assert made | date | {"id": record.content_id(made | date)} == PEER, "tests/cli/peer.json is of another writer"


def test_a_peer_that_drifts_or_was_hardly_measured_is_doubted():
    def doubts(steps: list[float]) -> tuple[bool, list[str]]:
        turn = {"step_ns": steps, "wall_ns": steps, "steps_per_submit": 1}
        timed = record.timing(turn, "timestamps")
        found = record.doubts(timed, 0.05)
        return timed["settled"], [sentence for _, sentence in found]

    assert doubts([1e6] * 12) == (True, [])
    settled, told = doubts([1e6])
    assert not settled and told[0].startswith("the requested precision was not reached")
    assert doubts([1e6] * 6 + [1.2e6] * 6)[1][-1] == "step times drifted by +20.0 %"


def test_every_figure_of_a_record_is_the_peers_or_the_cells():
    made = record.record(cell_of_ours(), ABOUT, TURN, [])
    cell, timing = made["runs"][0], made["runs"][0]["timing"]
    assert cell["flops"] == OURS["runs"][0]["flops"] and (cell["dispatches"], cell["ops"]) == (0, [])
    assert (timing["step"]["median_ns"], timing["cpu_ns"], timing["source"]) == (3e6, 2.9e6, "wall")
    assert made["tool"]["peer"] == {"name": "PyTorch", "version": "2.9.0", "how": "eager, 1 thread"}
    assert cell["validity"][0].startswith("no usable timestamps") and len(cell["validity"]) == len(cell["doubts"])
    reduced = ABOUT | {"checked": ABOUT["checked"] | {"reduced": 24}}
    assert "checked at preset tiny" in record.record(cell_of_ours(), reduced, TURN, [])["notes"][-1]


def test_a_peer_that_ran_another_model_is_refused():
    class Running:
        name = "pytorch"
        about = ABOUT | {"batch": OURS["runs"][0]["batch"], "parameters": OURS["runs"][0]["parameters"]}

    cell = run.Cell("speech", "train")
    assert run.agreed(cell, Running, cell_of_ours(), True, ABOUT["checked"])["checked"]["reduced"] == 24
    for what in ("parameters", "batch"):
        other = type("Other", (Running,), {"about": Running.about | {what: 3}})
        try:
            run.agreed(cell, other, cell_of_ours(), False, ABOUT["checked"])
        except run.Refused as why:
            assert str(why).startswith(f"{what}: "), why
        else:
            raise AssertionError(f"{what} differ, and they were compared")


class Clock:
    """Stands in for `time`: passes only in steps, of which each takes a millisecond and computes for a tenth of it."""

    def __init__(self) -> None:
        self.steps = 0

    def step(self) -> None:
        self.steps += 1

    def perf_counter_ns(self) -> int:
        return self.steps * 1_000_000

    def perf_counter(self) -> float:
        return self.steps / 1000

    def process_time_ns(self) -> int:
        return self.steps * 100_000


def test_a_turn_is_as_long_as_asked_and_divides_by_its_steps():
    clock = Clock()
    serve.time, kept = clock, serve.time
    try:
        taken = serve.turn(clock.step, 0.25)
    finally:
        serve.time = kept
    # A tenth of the time unmeasured, and chunks of 20 ms until it is over.
    assert clock.steps == 25 + 13 * 20, clock.steps
    assert taken["steps_per_submit"] == 20 and taken["step_ns"] == taken["wall_ns"] == [1e6] * 13, taken
    assert taken["cpu_ns"] == 1e5, taken


def test_one_thread_of_mesas_driver_is_no_worker():
    assert run.driven_by(None) == dict(os.environ)
    assert run.driven_by(1) == dict(os.environ) | {"LP_NUM_THREADS": "0"}
    assert run.driven_by(2)["LP_NUM_THREADS"] == "2"


def test_what_a_framework_cannot_do_is_an_answer():
    program = "import serve\ndef prepare():\n    print('noise')\n    raise ValueError('no such op')\nserve.serve(prepare)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "peers", capture_output=True, text=True, input="")
    assert json.loads(done.stdout) == {"error": "ValueError: no such op"} and done.returncode == 1


def test_a_program_answers_refuses_or_ends():
    program = """if True:
        import json
        print(json.dumps({"about": 1}), flush=True)
        for answer in ({"ns": 2}, {"error": "no more"}):
            input()
            print(json.dumps(answer), flush=True)
        """
    running = answering.Answering()
    running.start([sys.executable, "-c", program])
    assert running.answer() == {"about": 1} and running.turn(0.5) == {"ns": 2}
    gone = answering.Answering()
    gone.start([sys.executable, "-c", "exit(3)"])
    for refused, of in (("no more", lambda: running.turn(0.5)), ("its program ended with 3;", gone.answer)):
        try:
            of()
        except ValueError as why:
            assert str(why).startswith(refused), why
        else:
            raise AssertionError("it answered")
    assert running.process.returncode == 0


def test_the_command_line_names_what_it_does_not_know():
    arguments = run.parse(["-w", "vgg,speech", "-m", "train", "--option", "pytorch:--how compile"])
    assert arguments.workload == ["vgg", "speech"] and arguments.option == {"pytorch": ["--how", "compile"]}
    for words in (["-w", "speach"], ["--peer", "torch"], ["--option", "torch:-x"], ["--rounds", "0"]):
        try:
            with tempfile.TemporaryFile("w") as nowhere:
                sys.stderr, kept = nowhere, sys.stderr
                try:
                    run.parse(words)
                finally:
                    sys.stderr = kept
        except SystemExit as end:
            assert end.code == 2
        else:
            raise AssertionError(f"{words} was taken")


def test_what_pnnx_writes_is_read():
    script = '''
        with net.create_extractor() as ex:
            ex.input("in0", ncnn.Mat(in0.numpy(), batch_index=0).clone())
            ex.input("in1", ncnn.Mat(in1.numpy(), batch_index=233).clone())

            _, out0 = ex.extract("out0")
            out.append(torch.from_numpy(out0.numpy(batch_index=1)))
            _, out1 = ex.extract("out1")
            out.append(torch.from_numpy(out1.numpy(batch_index=233)))
'''
    assert converted.axes(script) == {"in0": 0, "in1": 233, "out0": 1, "out1": 233}
    known = "7767517\n2 2\nInput in0 0 1 in0\nConvolution c_0 1 1 in0 out0 0=8 4=0.5\n"
    assert converted.unknown(known) == []
    assert converted.unknown(f"{known}torch.argmax a 1 1 b c\naten::lstm d 1 1 e f\n") == ["aten::lstm", "torch.argmax"]


if __name__ == "__main__":
    sys.exit(run_tests(globals()))
