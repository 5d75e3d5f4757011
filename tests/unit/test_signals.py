"""The thread that hears signals, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import signal, sys, time
from mediaagent.signals import Ear

def fails():
    raise KIND("it fails")

def troubled():
    print("told:", repr(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]), flush=True)
    raise OSError("the log fails, too")

Ear({signal.SIGHUP: fails, signal.SIGTERM: lambda: print("heard", flush=True)}, troubled)
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def test_whatever_a_call_raises_the_next_signal_is_heard() -> None:
    for kind in ("ValueError", "SystemExit"):
        command = [sys.executable, "-c", PROGRAM.replace("KIND", kind)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                assert process.stdout.readline() == "ready\n"
                for _ in range(2):
                    process.send_signal(signal.SIGHUP)
                    assert process.stdout.readline() == f"told: {kind}('it fails')\n"
                process.send_signal(signal.SIGTERM)
                assert process.stdout.readline() == "heard\n"
            finally:
                process.kill()
