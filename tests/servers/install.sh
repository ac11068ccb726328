#!/usr/bin/env bash
# Install the servers that the tests run against, saying first which packages and why. On Debian and as root only:
# elsewhere, and with SERVERS=no, say what is missing and go on, because tests skip what they do not find.
set -euo pipefail

# package, a program that shows that it is there (or -), why
wanted="\
redis-server                  redis-server  the gallery's store, which the one in memory must equal
prometheus                    prometheus    scrapes our metrics
default-jre-headless          java          runs an Apache Kafka node
maven                         mvn           fetches Apache Kafka
python3-gi                    -             starts GStreamer's RTSP server, the tests' camera
gir1.2-gst-rtsp-server-1.0    -             GStreamer's RTSP server, the tests' camera
gstreamer1.0-rtsp             -             lets that camera speak RTSP
gstreamer1.0-plugins-good     -             reads the file that the camera plays
gstreamer1.0-plugins-bad      -             reads the H.264 in that file
mosquitto                     mosquitto     receives what alerts publish
chromium                      chromium      opens the page"

is_there() {
  if [ "$2" != - ]; then command -v "$2" >/dev/null && return; fi
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=() reasons=()
while read -r package program why; do
  if ! is_there "$package" "$program"; then
    missing+=("$package")
    reasons+=("$(printf '  %-27s %s' "$package" "$why")")
  fi
done <<<"$wanted"

if [ ${#missing[@]} -eq 0 ]; then
  echo "The servers that the tests run against are all here."
  exit 0
fi
if [ "${SERVERS:-}" = no ]; then
  echo "SERVERS=no, so these stay away, and what needs them is skipped: ${missing[*]}"
  exit 0
fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "The tests run against real servers. What needs one of these is skipped, because only root on Debian installs them:"
  printf '%s\n' "${reasons[@]}"
  if command -v apt-get >/dev/null; then echo "As root: apt-get install ${missing[*]}"; fi
  exit 0
fi

echo "The tests run against real servers. These Debian packages are missing and will be installed now; SERVERS=no make test"
echo "leaves them out:"
printf '%s\n' "${reasons[@]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if { apt-get update && apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  echo "Installed."
else
  tail -n 20 "$log"
  echo "They could not be installed (above); what needs them is skipped."
fi
