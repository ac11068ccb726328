#!/usr/bin/env bash
# Install the servers that the tests run against. On Debian and as root only; elsewhere say what is missing and go on,
# because the tests that need a server skip without it.
set -euo pipefail

packages=(
  redis-server prometheus openjdk-17-jre-headless maven
  gstreamer1.0-rtsp gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad python3-gi
)

if ! command -v dpkg-query >/dev/null; then
  echo "not Debian: tests that need ${packages[*]} or their like skip where these are missing"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "tests that need these skip; as root: apt-get install ${missing[*]}"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
