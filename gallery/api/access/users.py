"""`/v1/users` and `/v1/tokens`: who may use the API."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response, status
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from gallery.access import users
from gallery.access.errors import AccountRefused
from gallery.access.gate import Caller
from gallery.access.passwords import MAX_LENGTH, MIN_LENGTH, check_password, hash_password, random_password
from gallery.access.tokens import drop_tokens_of, make_token
from gallery.access.users import OPEN, includes, user_name
from gallery.api.access.auth import Calling
from gallery.api.encoding import new_router
from gallery.api.schemas import ProblemOut, iso
from gallery.store.accounts import Accounts, ApiToken, Role, User

MAX_DAYS = 3_650
REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"model": ProblemOut, "description": "The role is not enough"},
    404: {"model": ProblemOut, "description": "There is no such user or token"},
    409: {"model": ProblemOut, "description": "Refused, such as removing the last admin"},
}


def _name(text: str) -> str:
    try:
        return user_name(text)
    except AccountRefused as error:
        raise ValueError(str(error)) from error


NAME_SCHEMA = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$",
    "not": {"pattern": f"^{''.join(f'[{one}{one.upper()}]' for one in OPEN)}$"},
    "title": "Name",
}
UserName = Annotated[str, AfterValidator(_name), Field(max_length=64), WithJsonSchema(NAME_SCHEMA)]
Given = Annotated[str, Path(max_length=64)]
NewPassword = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class UserIn(_Body):
    """A user to add; without a password, they get a one-time password."""

    name: UserName
    role: Role = "viewer"
    password: NewPassword | None = Field(default=None, repr=False)


class RoleIn(_Body):
    """Another role."""

    role: Role


class ResetIn(_Body):
    """Another password, which the user has to change; without one, a random one is made."""

    password: NewPassword | None = Field(default=None, repr=False)


class UserOut(BaseModel):
    """A user; `must_change`: the password was given by somebody else, and only serves to choose another."""

    name: str
    role: Role
    created: str
    must_change: bool


class NewUserOut(UserOut):
    """A user whose password was set; `one_time_password` is shown only now, null if one was given."""

    one_time_password: str | None = Field(repr=False)


class UsersOut(BaseModel):
    """All users, by name."""

    users: list[UserOut]


class TokenIn(_Body):
    """A token to make: of oneself, or with `service` of no user; without `days` it does not expire."""

    name: UserName
    role: Role = "viewer"
    days: Annotated[float | None, Field(gt=0, le=MAX_DAYS, allow_inf_nan=False)] = None
    service: bool = False


class TokenOut(BaseModel):
    """A token; `owner` is null for a service, `expires` if it does not expire."""

    id: str
    name: str
    role: Role
    owner: str | None
    created: str
    expires: str | None


class NewTokenOut(TokenOut):
    """A token that was made; `token` itself is shown only now."""

    token: str = Field(repr=False)


class TokensOut(BaseModel):
    """Tokens, the oldest first."""

    tokens: list[TokenOut]


def users_router(accounts: Accounts) -> APIRouter:
    """Return the routes by which admins manage users."""
    router = new_router(prefix="/v1/users", tags=["users"], responses=REFUSALS)

    @router.get("")
    def list_users() -> UsersOut:
        """List all users."""
        return UsersOut(users=[_user_out(user) for _, user in sorted(accounts.users().items())])

    @router.post("", status_code=status.HTTP_201_CREATED)
    def add_user(given: UserIn, request: Request) -> NewUserOut:
        """Add a user; the first must be an admin, and from then on everybody has to sign in."""
        request.state.about = given.name
        password, hashed = _new_password(given.password, given.name)
        now_ns = time.time_ns()
        accounts.change_users(
            lambda known: users.added(known, given.name, given.role, hashed, now_ns, must_change=password is not None)
        )
        return _new_user_out(accounts, given.name, password)

    @router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
    def remove_user(name: Given) -> Response:
        """Remove a user; their sessions and tokens end."""
        found = _known(accounts, name)
        accounts.change_users(lambda known: users.removed(known, found.name))
        drop_tokens_of(accounts, found.name)
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    _add_changes(router, accounts)
    return router


def _add_changes(router: APIRouter, accounts: Accounts) -> None:
    @router.post("/{name}/role")
    def change_role(name: Given, given: RoleIn) -> UserOut:
        """Give a user another role; it applies at once."""
        found = _known(accounts, name)
        accounts.change_users(lambda known: users.with_role(known, found.name, given.role))
        return _user_out(_known(accounts, name))

    @router.post("/{name}/password")
    def reset_password(name: Given, given: ResetIn) -> NewUserOut:
        """Give a user a password that they have to change; their sessions end."""
        found = _known(accounts, name)
        password, hashed = _new_password(given.password, found.name)
        accounts.change_users(lambda known: users.with_password(known, found.name, hashed, must_change=True))
        return _new_user_out(accounts, found.name, password)


def tokens_router(accounts: Accounts) -> APIRouter:
    """Return the routes for API tokens: one's own, and for admins those of everybody."""
    router = new_router(prefix="/v1/tokens", tags=["users"], responses=REFUSALS)

    @router.get("")
    def list_tokens(caller: Calling) -> TokensOut:
        """List one's own tokens; an admin's list has those of everybody."""
        return TokensOut(tokens=[_token_out(token) for token in accounts.tokens() if _may_see(caller, token)])

    @router.post("", status_code=status.HTTP_201_CREATED)
    def add_token(given: TokenIn, caller: Calling, request: Request) -> NewTokenOut:
        """Make a token, which can do at most what its owner can; it is shown only in this answer."""
        request.state.about = given.name
        _check_token(given, caller)
        owner = None if given.service else caller.user
        made = make_token(accounts, given.name, given.role, time.time_ns(), days=given.days, owner=owner)
        return NewTokenOut(**_token_out(made.token).model_dump(), token=made.text)

    @router.delete("/{token_id}", status_code=status.HTTP_204_NO_CONTENT)
    def revoke_token(token_id: Given, caller: Calling) -> Response:
        """Revoke a token; it is refused from now on."""
        token = accounts.token(token_id)
        if token is None or not _may_see(caller, token) or not accounts.drop_token(token_id):
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no token {token_id!r}")
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    return router


def _check_token(given: TokenIn, caller: Caller) -> None:
    if not includes(caller.role, given.role):
        detail = f"{caller.name} has the role {caller.role} and cannot make a token with the role {given.role}"
        raise HTTPException(status.HTTP_403_FORBIDDEN, detail)
    if caller.user is None and not given.service:
        raise HTTPException(status.HTTP_409_CONFLICT, "nobody is signed in as a user: make a token of a service")
    if given.service and caller.role != "admin":
        raise HTTPException(status.HTTP_403_FORBIDDEN, "tokens of services are made by admins")


def _may_see(caller: Caller, token: ApiToken) -> bool:
    return caller.role == "admin" or (caller.user is not None and token.owner == caller.user.name)


def _known(accounts: Accounts, name: str) -> User:
    user = accounts.user(name.strip().lower())
    if user is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"there is no user {name!r}")
    return user


def _new_password(given: str | None, name: str) -> tuple[str | None, str]:
    """Return a one-time password if none was given, and the hash of the password."""
    made = random_password() if given is None else None
    check_password(given or made or "", name)
    return made, hash_password(given or made or "")


def _user_out(user: User) -> UserOut:
    return UserOut(name=user.name, role=user.role, created=iso(user.created_ns), must_change=user.must_change)


def _new_user_out(accounts: Accounts, name: str, password: str | None) -> NewUserOut:
    return NewUserOut(**_user_out(_known(accounts, name)).model_dump(), one_time_password=password)


def _token_out(token: ApiToken) -> TokenOut:
    return TokenOut(
        id=token.token_id,
        name=token.name,
        role=token.role,
        owner=token.owner or None,
        created=iso(token.created_ns),
        expires=iso(token.expires_ns) if token.expires_ns else None,
    )
