"""What a site keeps about alerts, in Redis.

Keys, all beginning with `climbtrack:{SITE}:`

    zones, rules, alert-outputs      hash: id -> msgpack
    alert-marks:RULE/WHEN/…          string: intervals, which expire
    alerts                           hash: id -> msgpack
    alert-order                      sorted set: alert id, by when it was raised in us
    deliveries                       hash: id -> msgpack
    deliveries-due, deliveries-dead  sorted sets: delivery id, by when it is due in us
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
import redis

from gallery.store.alerting import (
    LEASE_S,
    MARKS_S,
    MAX_AGE_S,
    MAX_ALERTS,
    MAX_DEAD,
    MAX_WAITING,
    AlertPage,
    AlertQuery,
)
from gallery.store.alerting_memory import FULL, marks_about, page_of, place_of
from gallery.store.records import pack
from gallery.store.server import translated_errors
from gallery.store.store import microseconds
from gallery.zones.alert import Alert, Delivery, Interval
from gallery.zones.output import Output
from gallery.zones.rule import Rule
from gallery.zones.zone import Zone

PAGE = 256
_Kept = TypeVar("_Kept", Zone, Rule, Output, Alert, Delivery)


class RedisAlertStore:
    """Keeps a site's alerts in Redis; see `gallery.store.alerting.AlertStore`."""

    def __init__(self, client: "redis.Redis", site_id: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._client: Any = client
        self._site_id = site_id
        self._clock = clock
        self._prefix = f"climbtrack:{{{site_id}}}:"
        self._take = self._client.register_script(
            files("gallery.store").joinpath("take_due.lua").read_text(encoding="utf-8")
        )

    @property
    def site_id(self) -> str:
        """Return the site."""
        return self._site_id

    def zones(self) -> list[Zone]:
        """Return all zones."""
        return self._all("zones", Zone)

    def save_zone(self, zone: Zone) -> None:
        """Add or replace a zone."""
        self._save("zones", zone.zone_id, zone)

    def delete_zone(self, zone_id: str) -> bool:
        """Delete a zone."""
        return self._delete("zones", zone_id)

    def rules(self) -> list[Rule]:
        """Return all rules."""
        return self._all("rules", Rule)

    def save_rule(self, rule: Rule) -> None:
        """Add or replace a rule."""
        self._save("rules", rule.rule_id, rule)

    def delete_rule(self, rule_id: str) -> bool:
        """Delete a rule."""
        return self._delete("rules", rule_id)

    def outputs(self) -> list[Output]:
        """Return all outputs."""
        return self._all("alert-outputs", Output)

    def save_output(self, output: Output) -> None:
        """Add or replace an output."""
        self._save("alert-outputs", output.output_id, output)

    def delete_output(self, output_id: str) -> bool:
        """Delete an output, and what was to be sent to it."""
        found = self._delete("alert-outputs", output_id)
        with translated_errors(self._client):
            whole = self._client.pipeline(transaction=True)
            for delivery in self._scan("deliveries", Delivery):
                if delivery.output_id == output_id:
                    self._drop(whole, delivery.delivery_id)
            whole.execute()
        return found

    def marks(self, keys: Sequence[str]) -> dict[str, tuple[Interval, ...]]:
        """Return the marks under some keys."""
        with translated_errors(self._client):
            blobs = self._client.mget([self._mark(key) for key in keys]) if keys else []
        found = zip(keys, blobs, strict=True)
        return {k: msgspec.msgpack.decode(b, type=tuple[Interval, ...]) for k, b in found if b is not None}

    def record(
        self, alerts: Sequence[Alert], marks: Mapping[str, tuple[Interval, ...]], deliveries: Sequence[Delivery]
    ) -> None:
        """Keep alerts, marks and deliveries."""
        with translated_errors(self._client):
            whole = self._client.pipeline(transaction=True)
            for key, intervals in marks.items():
                whole.set(self._mark(key), pack(intervals), ex=MARKS_S)
            for alert in alerts:
                whole.hset(self._key("alerts"), alert.alert_id, pack(alert))
                whole.zadd(self._key("alert-order"), {alert.alert_id: microseconds(alert.raised_ns)})
            for delivery in deliveries:
                self._queue(whole, delivery, "due")
            whole.execute()
            if alerts:
                self._bound()

    def alerts(self, query: AlertQuery) -> AlertPage:
        """Return a page of alerts."""
        with translated_errors(self._client):
            return page_of(self._after(query), query)

    def forget(self, numbers: Sequence[int]) -> int:
        """Delete what is kept about people."""
        with translated_errors(self._client):
            gone = [alert for alert in self._scan("alerts", Alert) if alert.identity_id in numbers]
            sent = [one for one in self._scan("deliveries", Delivery) if one.alert.identity_id in numbers]
            whole = self._client.pipeline(transaction=True)
            for alert in gone:
                whole.hdel(self._key("alerts"), alert.alert_id)
                whole.zrem(self._key("alert-order"), alert.alert_id)
            for delivery in sent:
                self._drop(whole, delivery.delivery_id)
            for key in marks_about(gone, numbers):
                whole.delete(self._mark(key))
            whole.execute()
        return len(gone)

    def take_due(self, now_ns: int, limit: int) -> list[Delivery]:
        """Return deliveries that are due, and postpone them."""
        keys = [self._key("deliveries-due"), self._key("deliveries")]
        until_us = microseconds(now_ns + round(LEASE_S * 1e9))
        with translated_errors(self._client):
            blobs = self._take(keys=keys, args=[microseconds(now_ns), until_us, limit])
        return [msgspec.msgpack.decode(blob, type=Delivery) for blob in blobs]

    def settle(self, delivery: Delivery) -> None:
        """Store how a delivery went."""
        with translated_errors(self._client):
            if not self._client.hexists(self._key("deliveries"), delivery.delivery_id):
                return
            whole = self._client.pipeline(transaction=True)
            self._drop(whole, delivery.delivery_id)
            if delivery.state != "sent":
                self._queue(whole, delivery, "dead" if delivery.state == "dead" else "due")
            whole.execute()
            self._bound_dead()

    def deliveries(self) -> list[Delivery]:
        """Return the deliveries that wait or were given up."""
        with translated_errors(self._client):
            due = self._client.zrange(self._key("deliveries-due"), 0, -1)
            dead = self._client.zrange(self._key("deliveries-dead"), 0, -1)
            return self._read("deliveries", [*due, *dead], Delivery)

    def _queue(self, whole: Any, delivery: Delivery, where: str) -> None:
        whole.hset(self._key("deliveries"), delivery.delivery_id, pack(delivery))
        whole.zadd(self._key(f"deliveries-{where}"), {delivery.delivery_id: microseconds(delivery.due_ns)})

    def _drop(self, whole: Any, delivery_id: str) -> None:
        whole.hdel(self._key("deliveries"), delivery_id)
        whole.zrem(self._key("deliveries-due"), delivery_id)
        whole.zrem(self._key("deliveries-dead"), delivery_id)

    def _bound(self) -> None:
        """Delete the oldest alerts, and give up the deliveries that have waited longest."""
        order, until_us = self._key("alert-order"), microseconds(self._clock() - MAX_AGE_S * 10**9)
        old = {*self._client.zrange(order, 0, -1 - MAX_ALERTS), *self._client.zrangebyscore(order, "-inf", until_us)}
        if old:
            self._client.hdel(self._key("alerts"), *old)
            self._client.zrem(order, *old)
        late = self._client.zrange(self._key("deliveries-due"), 0, -1 - MAX_WAITING)
        for delivery in self._read("deliveries", late, Delivery):
            self.settle(msgspec.structs.replace(delivery, state="dead", error=FULL))

    def _bound_dead(self) -> None:
        old = self._client.zrange(self._key("deliveries-dead"), 0, -1 - MAX_DEAD)
        if old:
            self._client.hdel(self._key("deliveries"), *old)
            self._client.zrem(self._key("deliveries-dead"), *old)

    def _after(self, query: AlertQuery) -> Iterator[Alert]:
        most = "+inf" if query.after is None else query.after[0]
        for start in range(0, MAX_ALERTS, PAGE):
            keys = self._client.zrevrangebyscore(self._key("alert-order"), most, "-inf", start=start, num=PAGE)
            if not keys:
                return
            found = self._read("alerts", keys, Alert)
            yield from (alert for alert in found if query.after is None or place_of(alert) < query.after)

    def _all(self, name: str, kind: type[_Kept]) -> list[_Kept]:
        with translated_errors(self._client):
            found = self._client.hgetall(self._key(name))
        return [msgspec.msgpack.decode(found[key], type=kind) for key in sorted(found)]

    def _scan(self, name: str, kind: type[_Kept]) -> Iterator[_Kept]:
        for _, blob in self._client.hscan_iter(self._key(name), count=PAGE):
            yield msgspec.msgpack.decode(blob, type=kind)

    def _read(self, name: str, keys: Sequence[bytes], kind: type[_Kept]) -> list[_Kept]:
        blobs = self._client.hmget(self._key(name), keys) if keys else []
        return [msgspec.msgpack.decode(blob, type=kind) for blob in blobs if blob is not None]

    def _save(self, name: str, key: str, value: Zone | Rule | Output) -> None:
        with translated_errors(self._client):
            self._client.hset(self._key(name), key, pack(value))

    def _delete(self, name: str, key: str) -> bool:
        with translated_errors(self._client):
            return bool(self._client.hdel(self._key(name), key))

    def _mark(self, key: str) -> str:
        return self._key(f"alert-marks:{key}")

    def _key(self, name: str) -> str:
        return self._prefix + name
