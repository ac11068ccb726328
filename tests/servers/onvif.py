"""A fake ONVIF camera on the loopback: answers probes over multicast, and requests over HTTP, with a login or not."""

import base64
import hashlib
import re
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self

GROUP, PORT = "239.255.255.250", 3702
USER, PASSWORD = "viewer", "s3cr<t&"
REALM, NONCE = "camera", "abc123"
PROFILES = (("main", "H264", 1920, 1080), ("sub", "H264", 640, 360))
_S = 'xmlns:SOAP="http://www.w3.org/2003/05/soap-envelope"'
_TT = 'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'


@dataclass
class FakeCamera:
    """A camera; `login` is how it checks users, `slow_s` how far its clock is behind, `asked` what it was asked."""

    name: str = "Axis P3245"
    login: Literal["none", "token", "digest"] = "none"
    slow_s: int = 0
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._udp.bind((GROUP, PORT))
        group = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.01,)),
            threading.Thread(target=self._answer_probes),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            last.sendto(b"", (GROUP, PORT))
        for thread in self._threads:
            thread.join()
        self._http.server_close()
        self._udp.close()

    @property
    def address(self) -> str:
        """Return host and port of its web server."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    def _answer_probes(self) -> None:
        while True:
            data, sender = self._udp.recvfrom(65535)
            if not data:
                return
            if b"NetworkVideoTransmitter" in data:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reply:
                    reply.bind(("127.0.0.1", 0))
                    reply.sendto(b"noise that is no XML", sender)
                    reply.sendto(self._match(data), sender)

    def _match(self, data: bytes) -> bytes:
        asked = re.search(rb"MessageID>([^<]+)<", data)
        scopes = f"onvif://www.onvif.org/name/{self.name.replace(' ', '%20')} onvif://www.onvif.org/location/hall"
        xaddrs = f"http://10.99.99.99/onvif/device_service http://{self.address}/onvif/device_service"
        identity = f"urn:uuid:{hashlib.md5(self.address.encode()).hexdigest()}"
        return (
            f'<?xml version="1.0"?><SOAP:Envelope {_S} xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
            'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP:Header><a:RelatesTo>'
            f"{'' if asked is None else asked[1].decode()}</a:RelatesTo></SOAP:Header><SOAP:Body><d:ProbeMatches>"
            f"<d:ProbeMatch><a:EndpointReference><a:Address>{identity}</a:Address></a:EndpointReference>"
            f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{xaddrs}</d:XAddrs></d:ProbeMatch>"
            "</d:ProbeMatches></SOAP:Body></SOAP:Envelope>"
        ).encode()


def _handler_of(camera: FakeCamera) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            named = re.search(r"<(Get\w+)", body)
            asked = "" if named is None else named[1]
            camera.asked.append(asked)
            if asked == "GetSystemDateAndTime" or _lets_in(camera, self, body):
                self._send(200, _answer(camera, asked, body))
            elif camera.login == "digest":
                challenge = f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5'
                self._send(401, b"", {"WWW-Authenticate": challenge})
            else:
                code = "<SOAP:Subcode><SOAP:Value>ter:NotAuthorized</SOAP:Value></SOAP:Subcode>"
                self._send(400, _envelope(f"<SOAP:Fault><SOAP:Code>{code}</SOAP:Code></SOAP:Fault>"))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
            """Say nothing."""

        def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _lets_in(camera: FakeCamera, handler: BaseHTTPRequestHandler, body: str) -> bool:
    if camera.login == "none":
        return True
    return _has_token(camera, body) if camera.login == "token" else _has_digest(handler.headers["Authorization"] or "")


def _has_token(camera: FakeCamera, body: str) -> bool:
    parts = [re.search(rf"<{name}[^>]*>([^<]+)<", body) for name in ("Username", "Password", "Nonce", "Created")]
    if None in parts:
        return False
    user, password, nonce, created = (part[1] for part in parts if part is not None)
    wanted = hashlib.sha1(base64.b64decode(nonce) + created.encode() + PASSWORD.encode()).digest()
    stated = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    fresh = abs((_now(camera) - stated).total_seconds()) < 600
    return user == USER and base64.b64decode(password) == wanted and fresh


def _has_digest(header: str) -> bool:
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', header))
    if fields.get("username") != USER:
        return False
    one = _md5(f"{USER}:{REALM}:{PASSWORD}")
    other = _md5(f"POST:{fields['uri']}")
    return bool(fields["response"] == _md5(f"{one}:{NONCE}:{fields['nc']}:{fields['cnonce']}:auth:{other}"))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _now(camera: FakeCamera) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=camera.slow_s)


def _answer(camera: FakeCamera, asked: str, body: str) -> bytes:
    if asked == "GetSystemDateAndTime":
        now = _now(camera)
        clock = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
        date = f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
        return _envelope(f"<tt:UTCDateTime><tt:Time>{clock}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>")
    if asked == "GetCapabilities":
        return _envelope(f"<tt:Media><tt:XAddr>http://{camera.address}/onvif/media</tt:XAddr></tt:Media>")
    if asked == "GetProfiles":
        return _envelope("".join(map(_profile, PROFILES)))
    token = re.search(r"ProfileToken>([^<]+)<", body)
    path = "" if token is None else token[1]
    return _envelope(f"<tt:Uri>rtsp://192.0.2.9:8554/live/{path}?channel=1&amp;unicast=true</tt:Uri>")


def _profile(profile: tuple[str, str, int, int]) -> str:
    token, codec, width, height = profile
    size = f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>"
    encoder = f"<tt:VideoEncoderConfiguration><tt:Encoding>{codec}</tt:Encoding>{size}</tt:VideoEncoderConfiguration>"
    return f'<tds:Profiles token="{token}"><tt:Name>{token} stream</tt:Name>{encoder}</tds:Profiles>'


def _envelope(content: str) -> bytes:
    return f'<SOAP:Envelope {_S} {_TT} xmlns:ter="x"><SOAP:Body>{content}</SOAP:Body></SOAP:Envelope>'.encode()
