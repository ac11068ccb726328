#!/usr/bin/env bash
# Build all images of the CPU with podman where no registry can be reached, as root on Debian:
#   tests/servers/images.sh [FOLDER]
# Bases and servers come from Debian's packages and Apache's jars, under the names that the Dockerfile and the compose
# file give them. torch is left out of the worker's image: FOLDER/mount-torch.yaml, a file for docker compose, mounts
# that of this Python (.venv) instead. FOLDER, .cache/images by default, keeps what was made.
#   PROMETHEUS=no   do without an image of Prometheus
# Ends with 77 and the reason in the last line where this machine cannot or may not build and run containers. The tests
# then try the images (docs/containers.md).
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mkdir -p "${1:-.cache/images}" && cd "${1:-.cache/images}" && pwd)
python_image=docker.io/library/python:3.11.14-slim-bookworm
debian_image=docker.io/library/debian:12.12-slim
redis_image=docker.io/library/redis:7.2.11-bookworm
kafka_image=docker.io/apache/kafka:4.1.0
prometheus_image=docker.io/prom/prometheus:v3.5.0
uv_image=ghcr.io/astral-sh/uv:$(sed -n 's/^ARG UV_IMAGE=.*://p' deploy/docker/Dockerfile)
room_gb=8
unable() {
  echo "$*"
  exit 77
}
# A package index that did not answer once fails no build: what was done before is kept, so that trying again is cheap.
# What fails twice is no fault of ours where builds may be allowed and reach less than this machine does.
twice() { "$@" || "$@" || { reaches_packages && return 1; }; }

packages=(podman buildah runc netavark aardvark-dns fuse-overlayfs uidmap iptables mmdebstrap)

[ "$(id -u)" -eq 0 ] || unable "only root builds images by this script"
missing=()
for name in "${packages[@]}"; do
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || unable "these are installed on Debian only: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends "${missing[@]}" ||
    unable "these could not be installed: ${missing[*]}"
fi

# crun refuses hybrid cgroups, and the default limits are refused inside of containers; OCI's format has no HEALTHCHECK.
cat >"$folder/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$folder/containers.conf BUILDAH_ISOLATION=chroot BUILDAH_FORMAT=docker

mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)

# Try what has no fault of ours in it; remember why the first that fails does.
reason=""
attempt() {
  local said
  [ -n "$reason" ] || said=$("$@" 2>&1) || reason="${*:1:3}: $(tail -n 1 <<<"$said")"
}
judge() { [ -z "$reason" ] || unable "$reason"; }

has_room() {
  local store
  store=$(podman info --format '{{.Store.GraphRoot}}')
  echo "less than $room_gb GB are free in $store"
  [ "$(df --output=avail --block-size=1G "$store" | tail -n 1)" -ge "$room_gb" ]
}

# Containers of a shell and its libraries show what this machine forbids before anything is built.
probe() {
  local image=localhost/climbtrack-probe
  rm -rf "$folder/probe" && mkdir -p "$folder/probe"
  cp --dereference --parents /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*') "$folder/probe"
  tar -C "$folder/probe" -cf "$folder/probe.tar" .
  printf 'FROM %s\nRUN ["/bin/sh", "-c", "echo > /mark"]\n' "$image" >"$folder/probe/Dockerfile"
  [ -z "$mirror" ] || attempt /usr/lib/apt/apt-helper download-file "$mirror/dists/bookworm/Release" "$folder/probe/Release"
  attempt podman info
  attempt has_room
  attempt podman import "$folder/probe.tar" "$image"
  attempt podman build --quiet --volume "$folder:/folder:ro" --tag "$image-built" --file "$folder/probe/Dockerfile" "$folder/probe"
  attempt podman run --rm --read-only --cap-drop ALL --user 10001 --network none --tmpfs /tmp "$image-built" /bin/sh -c 'echo > /tmp/mark'
  attempt podman network create climbtrack-probe
  attempt podman run --rm --memory 64m --network climbtrack-probe --publish 127.0.0.1::1 "$image" /bin/sh -c :
  podman network rm --force climbtrack-probe >/dev/null 2>&1 || true
  podman rmi --force "$image-built" "$image" >/dev/null 2>&1 || true
  rm -rf "$folder/probe" "$folder/probe.tar"
}
probe
judge

has() { podman image exists "$1"; }

# One root file system for both bases: Debian with Python 3.11, which has what the images would otherwise install.
make_base() {
  mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3,python3-venv,tini \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$folder/base.tar" ${mirror:+"$mirror"}
}
if ! has "$python_image"; then
  attempt make_base
  judge
  podman import --quiet "$folder/base.tar" "$python_image"
  podman tag "$python_image" "$debian_image"
  rm "$folder/base.tar"
fi

# What uv of this machine needs to reach an index travels as mounts, never in an image.
echo "system-certs = true" >"$folder/uv.toml"
mounts=(--volume "$folder/uv.toml:/etc/uv/uv.toml:ro")
for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
  [ -e "$file" ] && mounts+=(--volume "$file:$file:ro")
done

if ! has "$uv_image"; then
  .venv/bin/python -m pip install --quiet --upgrade --no-deps --target "$folder/uv" "uv==${uv_image##*:}"
  printf 'FROM scratch\nCOPY bin/uv /uv\n' | podman build --quiet --tag "$uv_image" --file - "$folder/uv"
fi

build_that_fetches() {
  podman build --quiet "${mounts[@]}" --tag localhost/climbtrack-probe - <<FILE
FROM $uv_image AS uv
FROM $debian_image
RUN --mount=type=bind,from=uv,source=/uv,target=/usr/bin/uv apt-get update && uv pip install --target /tmp/reached packaging
FILE
}
reaches_packages() {
  attempt build_that_fetches
  podman rmi --force localhost/climbtrack-probe >/dev/null 2>&1 || true
  judge
}

# Redis and Kafka from one image of Debian's packages, which are fetched once.
make_servers() {
  podman build --quiet --tag localhost/climbtrack-servers - <<FILE
FROM $debian_image
RUN groupadd --gid 999 redis && useradd --uid 999 --gid 999 --no-create-home redis && useradd --uid 1000 --no-create-home kafka \
 && mkdir --parents /usr/share/man/man1 \
 && apt-get update && apt-get install --yes --no-install-recommends redis-server openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=999 --group=999 /data && install --directory --owner=1000 /var/lib/kafka /var/lib/kafka/data
FILE
}
make_redis() { printf 'FROM localhost/climbtrack-servers\nVOLUME /data\n' | podman build --quiet --tag "$redis_image" -; }
has "$kafka_image" || twice make_servers
has "$redis_image" || make_redis

make_prometheus() {
  podman build --quiet --tag "$prometheus_image" - <<FILE
FROM $debian_image
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus wget && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=65534 /prometheus
VOLUME /prometheus
USER 65534
ENTRYPOINT ["/usr/bin/prometheus"]
FILE
}
[ "${PROMETHEUS:-yes}" = no ] || has "$prometheus_image" || twice make_prometheus

if ! has "$kafka_image"; then
  jars=$(.venv/bin/python -c 'from deploy.kafka_server import fetch; print(fetch())')
  mkdir -p "$folder/kafka/jars"
  cp "$jars"/*.jar "$folder/kafka/jars"
  cat >"$folder/kafka/start.sh" <<'START'
#!/bin/bash
# Turn KAFKA_SOME_NAME of the environment into some.name of a configuration, as Apache's image does.
set -euo pipefail
properties=/tmp/server.properties
env | sed -n 's/^KAFKA_\([A-Z_]*\)=\(.*\)$/\1 \2/p' | while read -r name value; do
  echo "$(tr 'A-Z_' 'a-z.' <<<"$name")=$value"
done >"$properties"
tool() { java -Xmx256m -cp '/opt/kafka/jars/*' kafka.tools.StorageTool "$@"; }
# One argument: every 64th identifier begins with a dash, and would be taken for an option.
tool format --ignore-formatted --cluster-id="$(cat /opt/kafka/cluster-id)" --config "$properties"
exec java -Xms128m -Xmx512m -XX:+UseSerialGC -cp '/opt/kafka/jars/*' kafka.Kafka "$properties"
START
  head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=' >"$folder/kafka/cluster-id"
  cat >"$folder/kafka/Dockerfile" <<FILE
FROM localhost/climbtrack-servers
COPY . /opt/kafka
VOLUME /var/lib/kafka/data
USER 1000
CMD ["bash", "/opt/kafka/start.sh"]
FILE
  podman build --quiet --tag "$kafka_image" "$folder/kafka"
fi

for name in ingest gallery alerts recorder api worker camera; do
  twice podman build --quiet "${mounts[@]}" --file deploy/docker/Dockerfile --target "$name" --tag "climbtrack/$name" --build-arg TORCH_INDEX= .
done

# Packages of this environment that the worker's image lacks without torch.
.venv/bin/python - >"$folder/mount-torch.yaml" <<'PYTHON'
import importlib.util, json
from pathlib import Path
inside = "/opt/climbtrack/lib/python3.11/site-packages"
site = Path(importlib.util.find_spec("torch").origin).parents[1]
names = ["torch", "torchgen", "torchvision", "functorch", "sympy", "mpmath", "networkx", "jinja2", "filelock", "fsspec"]
found = [path for path in site.iterdir() if path.name.split("-")[0].split(".")[0] in {*names, "nvidia", "triton"}]
mounts = [f"{path}:{inside}/{path.name}:ro" for path in sorted(found)]
print(json.dumps({"services": {name: {"volumes": mounts} for name in ("worker", "sample")}}))
PYTHON
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
