#!/usr/bin/env bash
# Bring the demo of deploy/compose.yaml up, wait until the API knows somebody, show what runs, and take it down again.
#   deploy/docker/try.sh [more options of docker compose, such as --file other.yaml]
# COMPOSE    the command; `docker compose` by default, else docker-compose over podman's socket where there is no engine
# ENGINE     podman: use podman's socket although Docker is there
# LIMIT_S    how long to wait for an identity (600); what does not come up is shown, and taken down within 400 s more
# The images must be there: `docker compose --file deploy/compose.yaml --profile cpu --profile demo build`.
set -euo pipefail
cd "$(dirname "$0")/.."
LIMIT_S=${LIMIT_S:-600}
project=climbtrack-try # a name of its own: `down --volumes` must never reach the people of an installation on this machine
work=$(mktemp -d)
started=()
export REDIS_PASSWORD_FILE=$work/redis-password API_TOKEN_FILE=$work/api-token
export CLIMBTRACK_PORT=${CLIMBTRACK_PORT:-8080}

for secret in "$REDIS_PASSWORD_FILE" "$API_TOKEN_FILE"; do
  head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$secret"
  chmod 644 "$secret" # read by the users of the containers; the folder is ours alone
done
chmod 711 "$work"

# Every call of an engine is bounded: one that no longer answers would be waited for without end.
within() { timeout --foreground --kill-after=10 "$@"; }

# podman: its socket in place of Docker's, and its health checks by hand, since only systemd runs them by itself.
if [ -z "${COMPOSE:-}" ] && { [ "${ENGINE:-}" = podman ] || ! within 30 docker info >/dev/null 2>&1; }; then
  ENGINE=podman COMPOSE=docker-compose
  # Nothing that outlives this script may hold its output open: who reads that would wait for it.
  podman system service --time 0 "unix://$work/podman.sock" >"$work/podman.log" 2>&1 &
  started+=($!)
  export DOCKER_HOST=unix://$work/podman.sock
  # Only of those that others wait for: a probe of each service all the time would take a core of a small machine.
  (while sleep 3; do
    for name in $(within 30 podman ps --filter "name=$project-redis" --filter "name=$project-kafka" --format '{{.Names}}'); do
      within 30 podman healthcheck run "$name" || true
    done
  done) >/dev/null 2>&1 &
  started+=($!)
fi
ENGINE=${ENGINE:-docker}
words=(${COMPOSE:-docker compose} --project-name "$project" --env-file docker/demo.env --file compose.yaml "$@")
compose() { within "$1" "${words[@]}" "${@:2}"; }

label=label=com.docker.compose.project=$project
ours() { within 30 "$ENGINE" ps --all --filter "$label" --format '{{.Names}}'; }

# Containers that end again and again: they are never unhealthy, and so compose would wait for them for ever.
failing() {
  local name
  for name in $(ours); do
    [ "$(within 30 "$ENGINE" inspect --format '{{.RestartCount}}' "$name")" -lt 4 ] || echo "$name"
  done
}

show() {
  compose 60 ps --all || true
  compose 60 logs --tail 15 || true
}

end() {
  kill "$1" 2>/dev/null || return 0
  kill -CONT "$1" 2>/dev/null || true # one that was stopped would not hear it
  for _ in {1..24}; do ! kill -0 "$1" 2>/dev/null || sleep 0.5; done
  kill -KILL "$1" 2>/dev/null || true
}

down() {
  trap - INT TERM
  [ -z "${up:-}" ] || end "$up"
  if ! compose 180 down --volumes --timeout 20; then
    echo "compose did not take everything down; removing what is left by $ENGINE itself" >&2
    for name in $(ours); do within 30 "$ENGINE" rm --force --volumes "$name" >/dev/null || true; done
    for kind in volume network; do
      for name in $(within 30 "$ENGINE" "$kind" ls --quiet --filter "$label"); do within 30 "$ENGINE" "$kind" rm "$name" >/dev/null || true; done
    done
  fi
  for pid in "${started[@]}"; do end "$pid"; done
  rm -rf "$work"
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

gave_up() {
  show
  echo "$1" >&2
  exit 1
}

began=$SECONDS
timeout --foreground --kill-after=10 "$LIMIT_S" "${words[@]}" up --detach --no-build & # not by `within`, whose child would go on
up=$!
while kill -0 "$up" 2>/dev/null; do
  names=$(failing 2>/dev/null | paste -sd ' ') || true
  [ -z "$names" ] || gave_up "gave up: $names ended again and again; the last lines are above"
  sleep 3
done
wait "$up" || gave_up "not everything was up within $LIMIT_S s; what is still starting or unhealthy is above"
token=$(cat "$API_TOKEN_FILE")
ask() { curl --silent --fail --max-time 30 --header "Authorization: Bearer $token" "http://127.0.0.1:$CLIMBTRACK_PORT/v1/$1"; }
until ask identities 2>/dev/null | grep -q '"id"'; do
  [ $((SECONDS - began)) -le "$LIMIT_S" ] || gave_up "nobody was recognised within $LIMIT_S s"
  sleep 2
done
echo "the first identity after $((SECONDS - began)) s:"
ask identities
echo
compose 60 ps --all
