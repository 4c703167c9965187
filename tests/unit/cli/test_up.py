"""How `up` ends: by SIGTERM as containers do, by Ctrl-C as people do."""

import signal
import subprocess
import sys

import pytest

_WAITING = """
from aquascene.cli.up import interruptible, wait
class Parts:
    def dead(self): print("up", flush=True)
with interruptible():
    wait(Parts())
    print("stopped in order", flush=True)
"""
_PROCESS_ONE = """
import os, time
os.getpid = lambda: 1
from aquascene.cli import main
main.app = lambda: (print("up", flush=True), time.sleep(60))
main.main()
"""


def ended(script: str, number: signal.Signals) -> tuple[int, str]:
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    rest = process.stdout.read()
    return process.wait(20), rest.replace("up\n", "")


def test_sigterm_is_the_usual_end() -> None:
    assert ended(_WAITING, signal.SIGTERM) == (0, "stopped in order\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_interrupt(number: signal.Signals) -> None:
    code, rest = ended(_WAITING, number)
    assert (code != 0, rest) == (True, "")


def test_process_one_takes_sigterm_from_the_start() -> None:
    assert ended(_PROCESS_ONE, signal.SIGTERM)[0] == 143
