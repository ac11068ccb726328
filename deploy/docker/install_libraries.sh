#!/bin/sh
# Make the environment of an image from a lock: install_libraries.sh LOCK. Needs uv.
# Tests that libraries bring along are left out: those of numpy and scipy alone are 49 MB. Only what is left is compiled.
set -eu
export VIRTUAL_ENV=/opt/climbtrack UV_CACHE_DIR=/root/.cache/uv UV_LINK_MODE=copy
[ -e "$VIRTUAL_ENV" ] || uv venv --python "$(command -v python3)" "$VIRTUAL_ENV"
uv pip install --no-deps --require-hashes --requirement "$1"
find "$VIRTUAL_ENV/lib" -type d -name tests -prune -exec rm -r {} +
"$VIRTUAL_ENV/bin/python" -m compileall -qq -j 0 "$VIRTUAL_ENV/lib"
