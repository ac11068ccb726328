"""Every request of the API once: `python -m docs.api_examples http://127.0.0.1:8080`, beside a run that knows people.

It corrects people, adds users and takes all of that back: run it on a site of your own only to try things out.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx

WAIT_S = 60.0
PASSWORD, LATER = "correct horse battery staple", "another correct horse battery"

EXCUSED = {"/v1/search": 422, "/v1/cameras/discover": 409}  # nobody is in the picture; there is no network

Ask = Callable[..., httpx.Response]


def main(address: str) -> None:
    """Make the requests; print each with the status of its answer."""
    with httpx.Client(base_url=address, timeout=30) as client:

        def ask(method: str, path: str, *, query: dict[str, Any] | None = None, **given: Any) -> httpx.Response:
            body, picture = given.pop("body", None), given.pop("picture", None)
            sent = path.format(**{name: quote(str(value), safe="/") for name, value in given.items()})
            kind = {} if picture is None else {"Content-Type": "image/jpeg"}
            answer = client.request(method, sent, params=query, json=body, content=picture, headers=kind)
            print(answer.status_code, method, path)
            if answer.status_code != EXCUSED.get(path):
                answer.raise_for_status()
            return answer

        health(ask)
        people(ask)
        cameras(ask)
        alerting(ask)
        streams(client)
        accounts(ask)


def health(ask: Ask) -> None:
    """Ask whether it lives, and how much there is."""
    ask("GET", "/healthz")
    ask("GET", "/readyz")
    ask("GET", "/v1/stats")


def people(ask: Ask) -> None:
    """Look for people, explain who they are, correct that, and take the corrections back."""
    tracks = _known(ask)
    first, second = sorted({one["identity"] for one in tracks})[:2]
    track = next(one["tracklet_id"] for one in tracks if one["identity"] == first)
    ask("GET", "/v1/identities", query={"tag": "staff", "probability": 0.9})
    ask("GET", "/v1/tracks", query={"probability": 0.9})
    ask("GET", "/v1/identities/{number}", number=first)
    crop = ask("GET", "/v1/tracks/{tracklet_id}/crop", tracklet_id=track).content
    ask("GET", "/v1/tracks/{tracklet_id}/why", tracklet_id=track)
    ask("GET", "/v1/tracks/{tracklet_id}/lookalikes", tracklet_id=track, query={"limit": 3})
    ask("POST", "/v1/search", picture=crop)
    ask("GET", "/v1/identities/{number}/export", number=first)
    ask("GET", "/v1/visits", query={"format": "csv"})
    ask("GET", "/v1/visits", query={"format": "parquet"})
    ask("GET", "/v1/cameras/{camera_id}/mot", camera_id=track.partition("/")[0])
    ask("GET", "/v1/statistics", query={"by": "day"})
    ask("GET", "/v1/review")
    said = [
        ask("POST", "/v1/identities/{number}/name", number=first, body={"name": "Anna"}),
        ask("POST", "/v1/identities/{number}/tags", number=first, body={"tags": ["staff", "morning"]}),
        ask("POST", "/v1/identities/{number}/hide", number=first, body={"hidden": True}),
        ask("POST", "/v1/identities/{number}/different", number=first, body={"from": second}),
    ]
    for word in reversed(said):
        ask("POST", "/v1/words/{word_id}/undo", word_id=word.json()["id"])
    merged = ask("POST", "/v1/identities/{number}/merge", number=first, body={"with": [second]}).json()
    confirmed = ask("POST", "/v1/tracks/{tracklet_id}/confirm", tracklet_id=track, body={"identity": first}).json()
    for word in (confirmed, merged):
        ask("POST", "/v1/words/{word_id}/undo", word_id=word["id"])
    merged = ask("POST", "/v1/identities/{number}/merge", number=first, body={"with": [second]}).json()
    split = ask("POST", "/v1/identities/{number}/split", number=first, body={"tracklets": [track]}).json()
    ask("POST", "/v1/words/{word_id}/undo", word_id=split["id"])
    moved = ask("POST", "/v1/tracks/{tracklet_id}/move", tracklet_id=track, body={"to": None}).json()
    for word in (moved, merged):
        ask("POST", "/v1/words/{word_id}/undo", word_id=word["id"])
    ask("GET", "/v1/words", query={"identity": first, "sort": "newest", "limit": 5})
    ask("GET", "/v1/words/{word_id}", word_id=merged["id"])
    ask("DELETE", "/v1/identities/{number}", number=second)


def _known(ask: Ask) -> list[dict[str, Any]]:
    """Return tracks of at least two people, once there are some."""
    deadline_s = time.monotonic() + WAIT_S
    while True:
        ask("GET", "/v1/identities", query={"sort": "last"})
        tracks = ask("GET", "/v1/tracks", query={"limit": 200}).json()["tracks"]
        known = [one for one in tracks if one["identity"] is not None]
        if len({one["identity"] for one in known}) > 1:
            return known
        if time.monotonic() > deadline_s:
            raise SystemExit("fewer than two people are known: run it beside a run that sees some")
        time.sleep(1)


def cameras(ask: Ask) -> None:
    """Test, add, pause and remove a camera."""
    known = ask("GET", "/v1/cameras").json()["cameras"]
    ask("POST", "/v1/cameras/discover", body={})
    ask("POST", "/v1/cameras/test", body={"url": known[0]["url"]})
    ask("POST", "/v1/cameras", body={"camera_id": "tried", "url": known[0]["url"], "realtime": True, "loop": True})
    ask("GET", "/v1/cameras/{camera_id}/picture", camera_id="tried")
    ask("POST", "/v1/cameras/{camera_id}/pause", camera_id="tried")
    ask("POST", "/v1/cameras/{camera_id}/resume", camera_id="tried")
    ask("DELETE", "/v1/cameras/{camera_id}", camera_id="tried")


def alerting(ask: Ask) -> None:
    """Draw an area, ask to be told about it, and take all of it back."""
    camera = ask("GET", "/v1/cameras").json()["cameras"][0]["camera_id"]
    area = {"name": "Till", "camera_id": camera, "points": [[0.1, 0.4], [0.6, 0.4], [0.6, 1]]}
    ask("PUT", "/v1/zones/{zone_id}", zone_id="tried", body=area)
    ask("GET", "/v1/zones")
    ask("GET", "/v1/zones/{zone_id}", zone_id="tried")
    ask("GET", "/v1/zones/occupancy")
    ask("GET", "/v1/zones/history", query={"by": "day"})
    hook = {"name": "Tried", "url": "https://hooks.example.org/tried", "secret": "a secret of at least 16 characters"}
    ask("PUT", "/v1/alert-outputs/{output_id}", output_id="tried", body=hook)
    ask("GET", "/v1/alert-outputs")
    rule = {"name": "Tried", "when": "enters", "zones": ["tried"]}
    made = ask("POST", "/v1/alert-rules", body=rule).json()["rule_id"]
    ask("GET", "/v1/alert-rules")
    ask("GET", "/v1/alert-rules/{rule_id}", rule_id=made)
    ask("PUT", "/v1/alert-rules/{rule_id}", rule_id=made, body=rule | {"enabled": False})
    ask("POST", "/v1/alert-rules/{rule_id}/try", rule_id=made)
    ask("GET", "/v1/alerts", query={"limit": 5})
    ask("GET", "/v1/alert-outputs/deliveries")
    ask("POST", "/v1/alert-outputs/{output_id}/retry", output_id="tried")
    ask("DELETE", "/v1/alert-rules/{rule_id}", rule_id=made)
    ask("DELETE", "/v1/alert-outputs/{output_id}", output_id="tried")
    ask("DELETE", "/v1/zones/{zone_id}", zone_id="tried")


def streams(client: httpx.Client) -> None:
    """Read the beginning of the streams of events and of alerts."""
    for method, path in (("GET", "/v1/events"), ("GET", "/v1/alerts/stream")):
        with client.stream(method, path, params={"after": 0}) as events:
            print(events.status_code, method, path, next(events.iter_lines()))


def accounts(ask: Ask) -> None:
    """Add the first user, sign in, make a token, change a second user, and leave nobody behind."""
    ask("POST", "/v1/users", body={"name": "anna", "role": "admin", "password": PASSWORD})
    ask("POST", "/v1/session", body={"user": "anna", "password": PASSWORD})
    ask("GET", "/v1/session")
    ask("POST", "/v1/session/password", body={"current": PASSWORD, "new": LATER})
    token = ask("POST", "/v1/tokens", body={"name": "tried", "role": "viewer", "days": 1}).json()["id"]
    ask("GET", "/v1/tokens")
    ask("DELETE", "/v1/tokens/{token_id}", token_id=token)
    ask("POST", "/v1/users", body={"name": "otto"})
    ask("GET", "/v1/users")
    ask("POST", "/v1/users/{name}/role", name="otto", body={"role": "operator"})
    ask("POST", "/v1/users/{name}/password", name="otto", body={})
    ask("DELETE", "/v1/users/{name}", name="otto")
    print(json.dumps(ask("GET", "/v1/audit", query={"limit": 1}).json()))
    ask("DELETE", "/v1/session")


if __name__ == "__main__":
    main(sys.argv[1])
