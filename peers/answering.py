"""The other side of `serve.py`: a program that tells in a line of JSON what it is, and answers each line that it is sent."""

from __future__ import annotations

import json
import subprocess


class Answering:
    """One that runs, and waits for its turn. `start` comes first."""

    refusal: type[Exception] = ValueError  # what is raised of what it cannot do

    def start(self, command: list, **more) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def ended(self) -> str:
        """What is said where it ended in place of answering."""
        return f"its program ended with {self.process.wait()}; the peer's log has what it said"

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        value = json.loads(line) if line else {"error": self.ended()}
        if "error" in value:
            self.close()
            raise self.refusal(value["error"])
        return value

    def turn(self, seconds: float) -> dict:
        print(seconds, file=self.process.stdin, flush=True)
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
