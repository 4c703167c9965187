"""`python -m aquascene.web [--reload]`: serve the web application; with --reload anew whenever its code changes."""

import sys

from aquascene.errors import ConfigError
from aquascene.web.server import run, run_reloading

if __name__ == "__main__":
    try:
        run_reloading() if "--reload" in sys.argv[1:] else run()
    except ConfigError as exc:  # all that is wrong, one line each; a traceback would bury it
        print(f"error: {exc}", file=sys.stderr)
        sys.exit(2)
