"""Who somebody is by what their identity provider says of them, and what they may do. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gallery.access.errors import AccountRefused, NotSignedIn
from gallery.access.users import ROLES, user_name
from gallery.store.accounts import Role


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """How claims are read.

    Attributes:
        user: Claim that names the person.
        groups: Claim that lists their groups; a dot looks into an object, as in `realm_access.roles`.
        allowed: Groups of which one is needed to be let in; empty: none is.
        roles: Role of each group; whoever is in several has the highest.
        otherwise: Role of everybody else; None: they are not let in.
    """

    user: str = "preferred_username"
    groups: str = "groups"
    allowed: Collection[str] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    otherwise: Role | None = None


def person_of(claims: Mapping[str, Any], rules: ClaimRules) -> tuple[str, Role]:
    """Return the name and the role of somebody.

    Raises:
        NotSignedIn: They have no usable name, or are in no group that is let in; the message says what to change.
    """
    name = _name(claims, rules.user)
    groups = _groups(claims, rules.groups)
    if rules.allowed and not groups & set(rules.allowed):
        raise NotSignedIn(f"{name} is in none of the groups that are let in (api.oidc_allowed_groups)")
    found = [role for group, role in rules.roles.items() if group in groups]
    role = max(found, key=ROLES.index) if found else rules.otherwise
    if role is None:
        raise NotSignedIn(f"{name} is in no group that has a role (api.oidc_roles; claim {rules.groups})")
    return name, role


def _name(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if claim == "email" and claims.get("email_verified") is False:
        raise NotSignedIn("the identity provider has not verified this address")
    try:
        return user_name(value if isinstance(value, str) else "")
    except AccountRefused as error:
        raise NotSignedIn(
            f"the identity provider states no name that can be used (claim {claim}; api.oidc_user_claim): {error}"
        ) from error


def _groups(claims: Mapping[str, Any], path: str) -> set[str]:
    value: Any = claims
    for key in [path] if path in claims else path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, str):
        return {value}
    return {group for group in value if isinstance(group, str)} if isinstance(value, list) else set()
