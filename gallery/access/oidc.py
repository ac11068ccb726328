"""Sign-in by an OpenID Connect provider: authorization code flow with PKCE (OpenID Connect Core 1.0, 3.1; RFC 7636)."""

import base64
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from gallery.access.errors import NotSignedIn, ProviderAway
from gallery.access.pending import Pending
from gallery.access.provider_address import is_safe_address

ALGORITHMS = [
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
]  # no secret ones
LEEWAY_S = 120  # between the provider's clock and ours
TIMEOUT_S = 5.0
MAX_BYTES = 1_000_000
METADATA_S = 3600.0
KEYS_S = 10.0  # keys are read again for a token that none of them has signed, but not more often
REFUSED = "the identity provider's answer was refused"


@dataclass(frozen=True, slots=True, repr=False)
class OidcClient:
    """How a provider knows this API.

    Attributes:
        secret: Empty for a public client.
        ca_file: PEM file of the authorities to trust; None trusts those of the system.
    """

    issuer: str
    client_id: str
    secret: str
    scopes: str
    ca_file: Path | None = None


class OidcProvider:
    """An identity provider; what it says about itself and its keys are kept for a while. Thread-safe."""

    def __init__(self, client: OidcClient, *, clock: Callable[[], float] = time.time) -> None:
        self.issuer = client.issuer
        self._client = client
        self._clock = clock
        self._tls = ssl.create_default_context(cafile=client.ca_file)
        self._lock = threading.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._metadata_s = self._keys_s = float("-inf")
        self._keys = KeySet([])

    def address(self, pending: Pending, back: str) -> str:
        """Return where to send a browser, which the provider sends back to `back`.

        Raises:
            ProviderAway: The provider does not answer.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": back,
            "scope": self._client.scopes,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(self._endpoint("authorization_endpoint"), asked)

    def sign_out_address(self, back: str) -> str | None:
        """Return where a browser ends its session at the provider (RP-Initiated Logout 1.0); None if not offered."""
        if not isinstance(self._metadata.get("end_session_endpoint"), str):
            return None
        asked = {"client_id": self._client.client_id, "post_logout_redirect_uri": back}
        return _with_query(self._endpoint("end_session_endpoint"), asked)

    def claims(self, code: str, pending: Pending, back: str) -> Mapping[str, Any]:
        """Return what the provider says about who came back with a code.

        Raises:
            ProviderAway: The provider does not answer.
            NotSignedIn: It does not take the code, or its answer does not hold.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": pending.verifier,
        }
        answer = self._ask("POST", self._endpoint("token_endpoint"), self._as_client(form))
        if not isinstance(answer.get("id_token"), str):
            reason = str(answer.get("error", "it holds no id_token"))[:100]
            raise NotSignedIn(f"{REFUSED}: {reason}")
        return self._checked(answer["id_token"], pending.nonce)

    def _checked(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        """Return the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7)."""
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._client.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims = self._decoded(id_token).claims
            rules.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise NotSignedIn(f"{REFUSED}: {_why(error)}") from error
        if len(_listed(claims["aud"])) > 1 and claims.get("azp") != self._client.client_id:
            raise NotSignedIn(f"{REFUSED}: it is for another program")
        return claims

    def _decoded(self, id_token: str) -> jwt.Token:
        """Return a token that one of the provider's keys has signed; they may have changed since they were read."""
        try:
            return jwt.decode(id_token, self._known_keys(), algorithms=ALGORITHMS)
        except (InvalidKeyIdError, BadSignatureError):
            if self._clock() - self._keys_s < KEYS_S:
                raise
        return jwt.decode(id_token, self._read_keys(), algorithms=ALGORITHMS)

    def _known_keys(self) -> KeySet:
        return self._keys if self._keys.keys else self._read_keys()

    def _read_keys(self) -> KeySet:
        found = self._ask("GET", self._endpoint("jwks_uri"))
        try:
            keys = KeySet.import_key_set(
                {"keys": [key for key in found["keys"] if key.get("kty") in {"RSA", "EC", "OKP"}]}
            )
        except (JoseError, LookupError, ValueError, TypeError, AttributeError) as error:
            raise ProviderAway(self.issuer, "its keys cannot be read") from error
        with self._lock:
            self._keys, self._keys_s = keys, self._clock()
        return keys

    def _endpoint(self, name: str) -> str:
        url = self._known_metadata().get(name)
        if not isinstance(url, str) or not is_safe_address(url):
            raise ProviderAway(self.issuer, f"it names no {name} that can be used")
        return url

    def _known_metadata(self) -> Mapping[str, Any]:
        if self._clock() - self._metadata_s < METADATA_S:
            return self._metadata
        found = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderAway(self.issuer, "it calls itself otherwise; set api.oidc_issuer to the issuer it states")
        with self._lock:
            self._metadata, self._metadata_s = found, self._clock()
        return found

    def _as_client(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the parts of a request by which the provider knows this API."""
        client = self._client
        if not client.secret:
            return {"data": {**form, "client_id": client.client_id}}
        methods = _listed(self._known_metadata().get("token_endpoint_auth_methods_supported", "client_secret_basic"))
        if "client_secret_basic" in methods:
            login = (quote(client.client_id, safe=""), quote(client.secret, safe=""))  # RFC 6749, 2.3.1
            return {"data": form, "auth": login}
        return {"data": {**form, "client_id": client.client_id, "client_secret": client.secret}}

    def _ask(self, method: str, url: str, parts: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the provider's answer, an object in JSON, even if it says that something is wrong."""
        try:
            with (
                httpx.Client(verify=self._tls, timeout=TIMEOUT_S) as client,
                client.stream(method, url, headers={"Accept": "application/json"}, **(parts or {})) as answer,
            ):
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise ProviderAway(self.issuer, f"its answer is larger than {MAX_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ProviderAway(self.issuer, str(error) or type(error).__name__) from error
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict) or answer.status_code >= 500:
            raise ProviderAway(self.issuer, f"{urlsplit(url).path} answers with status {answer.status_code}")
        return found


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _why(error: Exception) -> str:
    """Return the reason in words, without any part of the token."""
    claim = getattr(error, "claim", None)
    return f"{type(error).__name__.removesuffix('Error')}{f' ({claim})' if claim else ''}"
