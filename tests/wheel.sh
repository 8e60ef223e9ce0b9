#!/bin/sh
# Build the wheel, install it in an empty environment that borrows the dependencies, and use it from another folder.
# A data file that the wheel forgot shows here and nowhere else.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$work/dist" "$here"
"$python" -m venv "$work/env"
borrowed=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
own=$("$work/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
"$work/env/bin/python" -m pip install --quiet --no-deps --no-index "$work"/dist/promptfix-*.whl
# A path in a .pth file is searched, but the .pth files in that folder are not read: the editable install stays out.
echo "$borrowed" > "$own/borrowed.pth"
cd "$work"
"$work/env/bin/python" -c "
import promptfix, sys
assert promptfix.__file__.startswith('$work'), promptfix.__file__
"
"$work/env/bin/promptfix" check
# The demo's prompts rather than one of our own: a new mining may read any one of them otherwise, hardly all.
"$work/env/bin/promptfix" demo > demo
grep -F "[Note:" demo # where the detectors were forgotten, nothing fires and the command still succeeds
echo "the wheel works"
