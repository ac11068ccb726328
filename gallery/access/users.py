"""What may become of the users of a site. Pure: each function returns all users as they are afterwards."""

import re
import secrets
from collections.abc import Mapping
from typing import get_args

from msgspec.structs import replace

from gallery.access.errors import AccountRefused
from gallery.store.accounts import Role, User

Users = Mapping[str, User]

OPEN = "operator"  # who speaks where nobody signs in, and with the token of the settings
MAX_USERS = 1_000
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


def user_name(text: str) -> str:
    """Return the name of a user or token in the one form it has: `Anna` and `anna` are one.

    Only ASCII, so that no two names look alike.

    Raises:
        AccountRefused: It is no name.
    """
    name = text.strip().lower() if text.isascii() else ""
    if not _NAME.fullmatch(name):
        raise AccountRefused(
            "a name has 1 to 64 characters: letters a to z, digits and . _ @ + -, beginning with a letter or digit"
        )
    if name == OPEN:
        raise AccountRefused(f"the name {OPEN} stands for whoever is not signed in; choose another")
    return name


def includes(held: Role, needed: Role) -> bool:
    """Tell whether a role may do what another is needed for."""
    return ROLES.index(held) >= ROLES.index(needed)


def lesser(one: Role, other: Role) -> Role:
    """Return the role of two that may do less."""
    return min(one, other, key=ROLES.index)


def added(users: Users, name: str, role: Role, password: str, now_ns: int, *, must_change: bool) -> Users:
    """Return the users with another one, whose password has this hash.

    Raises:
        AccountRefused: There is one of this name, there are too many, or the first one is not an admin.
    """
    if name in users:
        raise AccountRefused(f"there is a user {name} already")
    if len(users) >= MAX_USERS:
        raise AccountRefused(f"there are {MAX_USERS} users already; remove some")
    if not users and role != "admin":
        raise AccountRefused("the first user must be an admin, since nobody could add others afterwards")
    fresh = {"since": _stamp(), "born": _stamp()}
    user = User(name=name, role=role, password=password, created_ns=now_ns, must_change=must_change, **fresh)
    return {**users, name: user}


def removed(users: Users, name: str) -> Users:
    """Return the users without one.

    Raises:
        AccountRefused: There is none of this name, or they are the last admin.
    """
    _known(users, name)
    left = {key: user for key, user in users.items() if key != name}
    return _with_an_admin(left, name)


def with_role(users: Users, name: str, role: Role) -> Users:
    """Return the users with another role of one.

    Raises:
        AccountRefused: There is none of this name, or they are the last admin.
    """
    return _with_an_admin({**users, name: replace(_known(users, name), role=role)}, name)


def with_password(users: Users, name: str, password: str, *, must_change: bool) -> Users:
    """Return the users with another password of one, whose sessions end; the password is given as its hash.

    Raises:
        AccountRefused: There is none of this name.
    """
    user = replace(_known(users, name), password=password, must_change=must_change, since=_stamp())
    return {**users, name: user}


def rehashed(users: Users, name: str, before: str, password: str) -> Users:
    """Return the users with the same password of one under a newer hash, unless it was changed meanwhile."""
    user = users.get(name)
    if user is None or user.password != before:
        return users
    return {**users, name: replace(user, password=password)}


def _known(users: Users, name: str) -> User:
    if name not in users:
        raise AccountRefused(f"there is no user {name}")
    return users[name]


def _with_an_admin(users: Users, name: str) -> Users:
    if not any(user.role == "admin" for user in users.values()):
        raise AccountRefused(f"{name} is the last admin; make somebody else an admin first")
    return users


def _stamp() -> str:
    return secrets.token_hex(8)
