#!/bin/sh
# Run all tests: the whole line (tests/e2e) in one process and everything else beside it, which fills two cores.
# One demo serves all of the line's tests, so they stay together; pytest-xdist 3.8 loses its groups with pytest 9.2.
set -u
python=${1:?the Python to run with}
line=$(mktemp)
trap 'rm -f "$line"' EXIT
"$python" -m pytest tests/e2e >"$line" 2>&1 &
running=$!
trap 'kill -INT $running 2>/dev/null; wait $running; exit 130' INT TERM
"$python" -m pytest --ignore=tests/e2e
rest=$?
echo "the whole line (tests/e2e):"
wait $running
code=$?
cat "$line"
[ $rest -eq 0 ] || exit $rest
exit $code
