"""Two installations with one prefix, told by the stores that the members of a group work on. Part of `wire.kafka`.

They would share each other's sites out among themselves, and each would know half of the people. A member therefore
tells the broker, in the name of its client, which store it works on, and joins nobody who works on another one.
"""

from typing import Any

from kafka import KafkaAdminClient, errors

from wire.errors import SettingsError
from wire.kafka.client import connection_options, settled
from wire.settings import KafkaSettings

OF_STORE = "climbtrack@"
COORDINATOR_S = 5.0  # that a new broker may need until it knows its first group


def client_id(store: str) -> str:
    """Return the name of a client that works on a store."""
    return f"{OF_STORE}{store}"


def check_store(settings: KafkaSettings, group: str, store: str) -> None:
    """Check that every member of a group that names its store works on the same one.

    Raises:
        SettingsError: One works on another.
    """
    admin = KafkaAdminClient(**connection_options(settings))
    try:
        members = settled(lambda: _members(admin, group), COORDINATOR_S)
    finally:
        admin.close()
    for member in members:
        name = str(member["client_id"])
        if name.startswith(OF_STORE) and name != client_id(store):
            raise SettingsError(
                f"kafka.topic_prefix = {settings.topic_prefix!r}: {group} at {str(member['client_host']).lstrip('/')}"
                f" reads the same topics of Kafka at {settings.servers} and works on another Redis; give each"
                " installation a prefix of its own, or the same redis.url; if that Redis has lost its data or was"
                f" replaced, end that {group} first"
            )


def _members(admin: KafkaAdminClient, group: str) -> list[dict[str, Any]]:
    try:
        members: list[dict[str, Any]] = admin.describe_groups([group])[group]["members"]
    except errors.GroupIdNotFoundError:
        return []
    return members
