"""How alerts are posted to each kind of output."""

import time
from collections.abc import Collection

from gallery.outputs.body import body_of
from gallery.outputs.errors import NotSent
from gallery.outputs.sender import Post
from gallery.outputs.webhook import send
from gallery.store.store import Store
from gallery.zones.alert import Alert, Delivery


def webhook_post(allowed: Collection[str]) -> Post:
    """Return how to post to webhooks; `allowed` as `alerts.webhook_hosts`."""

    def post(store: Store, delivery: Delivery) -> None:
        output = next((one for one in store.alerting.outputs() if one.output_id == delivery.output_id), None)
        if output is None:
            raise NotSent("the output was deleted", final=True)
        if not output.enabled:
            raise NotSent("the output is switched off", final=True)
        body = body_of(delivery.alert, *whom(store, delivery.alert))
        send(output, delivery.delivery_id, body, int(time.time()), allowed)

    return post


def no_broker(_store: Store, _delivery: Delivery) -> None:
    """Say that there is no broker.

    Raises:
        NotSent: Always.
    """
    raise NotSent("no MQTT broker is set; give alerts.mqtt_url in the settings", final=True)


def whom(store: Store, alert: Alert) -> tuple[int, str]:
    """Return the number and the name that the person of an alert has now; 0 for nobody."""
    identity = store.identity(alert.identity_id) if alert.identity_id else None
    return (alert.identity_id, "") if identity is None else (identity.number, identity.name)
