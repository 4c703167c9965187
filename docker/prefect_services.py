"""Prefect's background services, ended by SIGTERM as by Ctrl-C.

`prefect server services start` stops in order on SIGINT only (seen with 3.8.8); as the first process of a container it
would not even die of SIGTERM. Remove when Prefect handles SIGTERM there itself.
"""

import runpy
import signal
import sys


def main() -> None:
    """Run the command in this process; the arguments are its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts this in the background has it ignored
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    sys.argv = ["prefect", "server", "services", "start", *sys.argv[1:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
