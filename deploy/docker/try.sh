#!/usr/bin/env bash
# Bring the demo of deploy/compose.yaml up, wait until the API knows somebody, show what runs, and take it down again.
#   deploy/docker/try.sh [more options of docker compose, such as --file other.yaml]
# COMPOSE    the command; `docker compose` by default, else docker-compose over podman's socket where there is no engine
# ENGINE     podman: use podman's socket although Docker is there
# LIMIT_S    how long to wait for an identity (600)
# The images must be there: `docker compose --file deploy/compose.yaml --profile cpu --profile demo build`.
set -euo pipefail
cd "$(dirname "$0")/.."
LIMIT_S=${LIMIT_S:-600}
work=$(mktemp -d)
started=()
export REDIS_PASSWORD_FILE=$work/redis-password API_TOKEN_FILE=$work/api-token
export CLIMBTRACK_PORT=${CLIMBTRACK_PORT:-8080}

for secret in "$REDIS_PASSWORD_FILE" "$API_TOKEN_FILE"; do
  head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$secret"
  chmod 644 "$secret" # read by the users of the containers; the folder is ours alone
done
chmod 711 "$work"

# podman: its socket in place of Docker's, and its health checks by hand, since only systemd runs them by itself.
if [ -z "${COMPOSE:-}" ] && { [ "${ENGINE:-}" = podman ] || ! docker info >/dev/null 2>&1; }; then
  podman system service --time 0 "unix://$work/podman.sock" &
  started+=($!)
  export DOCKER_HOST=unix://$work/podman.sock
  COMPOSE=docker-compose
  # Only of those that others wait for: a probe of each service all the time would take a core of a small machine.
  (while sleep 3; do
    for name in $(podman ps --filter name=climbtrack-try-redis --filter name=climbtrack-try-kafka --format '{{.Names}}'); do
      timeout --kill-after=5 30 podman healthcheck run "$name" >/dev/null 2>&1 || true
    done
  done) &
  started+=($!)
fi
# Under a name of its own: `down --volumes` must never reach the people of an installation on this machine.
# Bounded, since it would wait for ever for a service that never gets healthy, or for an engine that no longer answers.
compose() {
  timeout --foreground --kill-after=10 "$1" ${COMPOSE:-docker compose} --project-name climbtrack-try --env-file docker/demo.env --file compose.yaml "${@:2}"
}
options=("$@")

show() {
  compose 60 "${options[@]}" ps --all || true
  compose 60 "${options[@]}" logs --tail 15 || true
}

down() {
  compose 180 "${options[@]}" down --volumes --timeout 20 || true
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap down EXIT

began=$SECONDS
if ! compose "$LIMIT_S" "${options[@]}" up --detach --no-build; then
  show
  echo "not everything was up within $LIMIT_S s" >&2
  exit 1
fi
token=$(cat "$API_TOKEN_FILE")
ask() { curl --silent --fail --max-time 30 --header "Authorization: Bearer $token" "http://127.0.0.1:$CLIMBTRACK_PORT/v1/$1"; }
until ask identities 2>/dev/null | grep -q '"id"'; do
  if [ $((SECONDS - began)) -gt "$LIMIT_S" ]; then
    show
    echo "nobody was recognised within $LIMIT_S s" >&2
    exit 1
  fi
  sleep 2
done
echo "the first identity after $((SECONDS - began)) s:"
ask identities
echo
compose 60 "${options[@]}" ps --all
