"""`python -m aquascene.web [--reload]`: serve the web application; with --reload anew whenever its code changes."""

import sys

from aquascene.web.server import run, run_reloading

if __name__ == "__main__":
    run_reloading() if "--reload" in sys.argv[1:] else run()
