"""The build step of prefect.yaml: stop a deploy whose variables are not all set."""

import sys

from deployments.definitions import missing_variables


def main() -> int:
    """Print what is missing; exit 1 then."""
    missing = missing_variables()
    if missing:
        print(f"prefect.yaml uses {', '.join(missing)}, which is not set: export it and deploy again", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
