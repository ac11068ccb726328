"""`climbtrack users`: who may use the page and the API of a site."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.cli.options import Config, DataDirOption, Json, Site, finite
from deploy.errors import UsageError

if TYPE_CHECKING:
    from gallery.store.accounts import ApiToken, Role, User

app = typer.Typer(
    name="users", help="Add, list and remove users, and make API tokens for programs.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME")]
RoleOption = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="viewer: looks; operator: corrects, too; admin: manages everything."),
]
FromStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from stdin; default: make a one-time password."),
]


@app.command("add")
def add(
    name: Name,
    role: RoleOption = "viewer",
    password_stdin: FromStdin = False,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
) -> None:
    """Add a user. The first must be an admin; from then on, everybody has to sign in."""
    from deploy.cli.find_accounts import open_accounts, record
    from gallery.access.users import added, user_name

    with open_accounts(config, data_dir, site, create=True) as store:
        known, given = user_name(name), _role(role)
        password, hashed, made = _password(known, from_stdin=password_stdin)
        now_ns = time.time_ns()
        store.accounts.change_users(lambda users: added(users, known, given, hashed, now_ns, must_change=made))
        record(store, "added a user", known, config)
    _tell(known, password, made=made)


@app.command("ls")
def list_users(data_dir: DataDirOption = None, config: Config = None, site: Site = None, as_json: Json = False) -> None:
    """List users and API tokens."""
    from deploy.cli.find_accounts import open_accounts

    with open_accounts(config, data_dir, site) as store:
        users = [user for _, user in sorted(store.accounts.users().items())]
        tokens = store.accounts.tokens()
    if as_json:
        typer.echo(json.dumps({"users": [_user(one) for one in users], "tokens": [_token(one) for one in tokens]}))
        return
    from deploy.terminal import print_rows

    rows = [(u.name, u.role, _date(u.created_ns), "to be changed" if u.must_change else "") for u in users]
    print_rows(f"{len(users)} users", ("name", "role", "added (UTC)", "password"), rows)
    if tokens:
        print_rows(
            "", ("token", "name", "role", "of", "expires (UTC)"), [(*_token(token).values(),) for token in tokens]
        )


@app.command("rm")
def remove(name: Name, data_dir: DataDirOption = None, config: Config = None, site: Site = None) -> None:
    """Remove a user, with their sessions and tokens."""
    from deploy.cli.find_accounts import open_accounts, record
    from gallery.access.tokens import drop_tokens_of
    from gallery.access.users import removed, user_name

    with open_accounts(config, data_dir, site) as store:
        known = user_name(name)
        store.accounts.change_users(lambda users: removed(users, known))
        drop_tokens_of(store.accounts, known)
        record(store, "removed a user", known, config)
    typer.echo(f"removed {known}")


@app.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(metavar="ROLE")],
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
) -> None:
    """Give a user another role; it applies at once."""
    from deploy.cli.find_accounts import open_accounts, record
    from gallery.access.users import user_name, with_role

    with open_accounts(config, data_dir, site) as store:
        known, given = user_name(name), _role(role)
        store.accounts.change_users(lambda users: with_role(users, known, given))
        record(store, "changed a role", known, config)
    typer.echo(f"{known} is {given}")


@app.command("password")
def password(
    name: Name,
    password_stdin: FromStdin = False,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
) -> None:
    """Give a user another password; their sessions end."""
    from deploy.cli.find_accounts import open_accounts, record
    from gallery.access.users import user_name, with_password

    with open_accounts(config, data_dir, site) as store:
        known = user_name(name)
        password, hashed, made = _password(known, from_stdin=password_stdin)
        store.accounts.change_users(lambda users: with_password(users, known, hashed, must_change=made))
        record(store, "set a user's password", known, config)
    _tell(known, password, made=made)


@app.command("token")
def token(
    name: Name,
    role: RoleOption = "viewer",
    days: Annotated[
        float | None, typer.Option("--days", min=0.001, max=3650, callback=finite, help="Default: no expiry.")
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Whose it is; default: a service's.")
    ] = None,
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
) -> None:
    """Make an API token for a program, and print it; it is not shown again."""
    from deploy.cli.find_accounts import open_accounts, record
    from gallery.access.tokens import make_token
    from gallery.access.users import user_name

    with open_accounts(config, data_dir, site, create=True) as store:
        known, given = user_name(name), _role(role)
        owner = None if user is None else store.accounts.user(user_name(user))
        if user is not None and owner is None:
            raise UsageError(f"there is no user {user_name(user)}")
        made = make_token(store.accounts, known, given, time.time_ns(), days=days, owner=owner)
        record(store, "made a token", known, config)
    typer.echo(made.text)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Its first column in `climbtrack users ls`.")],
    data_dir: DataDirOption = None,
    config: Config = None,
    site: Site = None,
) -> None:
    """Revoke an API token."""
    from deploy.cli.find_accounts import open_accounts, record

    with open_accounts(config, data_dir, site) as store:
        if not store.accounts.drop_token(token):
            raise UsageError("there is no such token; `climbtrack users ls` lists them")
        record(store, "revoked a token", token, config)
    typer.echo(f"revoked {token}")


def _role(text: str) -> "Role":
    from gallery.access.users import ROLES

    for role in ROLES:
        if role == text:
            return role
    raise UsageError(f"--role {text!r}: expected {', '.join(ROLES)}")


def _password(name: str, *, from_stdin: bool) -> tuple[str, str, bool]:
    """Return a password, its hash, and whether it was made here and has to be changed."""
    from gallery.access.passwords import check_password, hash_password, random_password

    password = sys.stdin.readline(1_000_000).rstrip("\r\n") if from_stdin else random_password()
    check_password(password, name)
    return password, hash_password(password), not from_stdin


def _tell(name: str, password: str, *, made: bool) -> None:
    typer.echo(f"{name} signs in with the one-time password {password} and chooses another" if made else f"{name}: ok")


def _user(user: "User") -> dict[str, Any]:
    return {"name": user.name, "role": user.role, "created": _date(user.created_ns), "must_change": user.must_change}


def _token(token: "ApiToken") -> dict[str, str]:
    return {
        "id": token.token_id,
        "name": token.name,
        "role": token.role,
        "owner": token.owner,
        "expires": _date(token.expires_ns) if token.expires_ns else "",
    }


def _date(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
