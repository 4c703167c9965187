"""The build step of prefect.yaml: stop a deploy whose variables are not all set and right."""

import sys

from deployments.variables import problems


def main() -> int:
    """Print what is wrong; exit 1 then."""
    found = problems()
    if found:
        print(f"prefect.yaml: {'; '.join(found)}. Export what is missing and deploy again", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
