"""The first user: an admin with a one-time password, where nobody could sign in otherwise."""

import ipaddress
import threading
import time
from collections.abc import Callable

from gallery.access import users
from gallery.access.errors import AccountRefused
from gallery.access.passwords import hash_password, random_password
from gallery.errors import StoreUnavailable
from gallery.store.accounts import Accounts

ADMIN = "admin"
RETRY_S = 2.0


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server that listens on this host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def first_admin(accounts: Accounts) -> str | None:
    """Add the user `admin` to a site without users, and return the password; None if there are users.

    It serves to choose another one. Of several processes that start at once, one adds the user.
    """
    if accounts.any_user():
        return None
    password = random_password()
    hashed, now_ns = hash_password(password), time.time_ns()

    def first(known: users.Users) -> users.Users:
        if known:
            raise AccountRefused("there are users already")
        return users.added(known, ADMIN, "admin", hashed, now_ns, must_change=True)

    try:
        accounts.change_users(first)
    except AccountRefused:
        return None
    return password


def tell_first_admin(accounts: Accounts, tell: Callable[[str], None], stop: threading.Event) -> None:
    """Add the first admin and tell the password; while the store is away, try again until `stop` is set."""
    while not stop.is_set():
        try:
            password = first_admin(accounts)
        except StoreUnavailable:
            stop.wait(RETRY_S)
            continue
        if password is not None:
            tell(f"Sign in as {ADMIN} with the one-time password {password} and choose another; it is shown only now")
        return
