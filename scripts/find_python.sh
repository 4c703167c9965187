#!/bin/sh
# Print the first Python 3.11, 3.12 or 3.13 on PATH; PYTHON=... overrides.
for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
  if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
    command -v "$candidate"
    exit 0
  fi
done
echo "no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python3 ..." >&2
exit 1
