#!/bin/sh
# Install mamba-ssm's compiled scan into the environment of the CUDA image:
#   build_mamba.sh VERSION ARCHITECTURES      such as 2.2.6.post3 '8.0;9.0'
# Its setup.py would compile for every GPU that the toolkit knows, whatever TORCH_CUDA_ARCH_LIST names. Importing it would
# need transformers, for language models that climbtrack has no use for, and climbtrack would quietly do without the scan.
set -eu
uv pip install einops ninja
MAMBA_SKIP_CUDA_BUILD=TRUE /opt/pip/bin/python -m pip --python "$VIRTUAL_ENV/bin/python" download \
  --no-cache-dir --no-deps --no-build-isolation --no-binary :all: "mamba-ssm==$1"
tar -xzf "mamba_ssm-$1.tar.gz"
cd "mamba_ssm-$1"
sed -i -E 's/cc_flag\.append\("(-gencode|arch=[^"]*)"\)/pass/' setup.py
if grep -q 'arch=compute' setup.py; then
  echo "this setup.py names its architectures in another way" >&2
  exit 1
fi
sed -i '/^from mamba_ssm/d' mamba_ssm/__init__.py
TORCH_CUDA_ARCH_LIST=$2 MAMBA_FORCE_BUILD=TRUE uv pip install --no-build-isolation --no-deps .
uv pip uninstall ninja
cd /
python -c 'import torch, selective_scan_cuda, mamba_ssm.ops.selective_scan_interface'
