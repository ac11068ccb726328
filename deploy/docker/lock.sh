#!/usr/bin/env bash
# Write the locks of the images anew: exact versions with their hashes, and no address of an index. Needs uv.
set -euo pipefail
cd "$(dirname "$0")/../.."
UV=${UV:-uv}
locks=deploy/docker/locks

lock() {
  local name=$1
  shift
  "$UV" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command deploy/docker/lock.sh \
    --override "$locks/overrides.txt" --output-file "$locks/$name.txt" "$@"
}

lists() { printf 'requirements/%s.txt\n' "$@"; }

# shellcheck disable=SC2046  # names of files and packages, without spaces
{
  lock ingest $(lists base ingest otel)
  lock gallery $(lists base gallery otel)
  # The CPU image has torch from its CPU index, whose hashes are others: only the versions are fixed.
  with_torch=$("$UV" pip compile --quiet --no-header --no-annotate --python-version 3.11 requirements/worker.txt)
  grep -E '^torch(vision)?==' <<<"$with_torch" >"$locks/torch-cpu.txt"
  lock worker-cpu $(lists base worker otel) "$locks/headless.txt" --no-emit-package torch --no-emit-package torchvision \
    --no-emit-package triton $(sed -n 's/^\(\(nvidia\|cuda\)[a-z0-9-]*\)\(\[.*\]\)\?==.*/--no-emit-package \1/p' <<<"$with_torch")
  lock worker-cuda $(lists base worker otel) "$locks/headless.txt" "$locks/cuda.txt" --override "$locks/overrides-cuda.txt"
}
