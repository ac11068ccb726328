"""Webhooks: what is sent to a real web server, what happens when it fails, and where nothing is sent."""

import hashlib
import hmac
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gallery.outputs import webhook
from gallery.outputs.config import AlertSettings
from gallery.outputs.errors import NotSent
from gallery.outputs.metrics import AlertMetrics
from gallery.outputs.posts import webhook_post
from gallery.outputs.reach import check_address
from gallery.outputs.sender import MAX_TRIES, Sender
from gallery.store.alerting_memory import MemoryAlertStore
from gallery.store.memory import MemoryStore
from gallery.store.store import Identity, Write
from gallery.zones.alert import Alert, Delivery
from gallery.zones.output import Output
from tests.servers.receiver import Receiver
from wire.errors import SettingsError

S = 1_000_000_000
SECRET = "a secret of some length"


class Sending:
    """A site with one output, and a sender whose clock the test moves."""

    def __init__(self, allowed: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.now_ns = 1_700_000_000 * S
        self.store = MemoryStore("site")
        self.alerts = self.store.alerting = MemoryAlertStore("site", clock=lambda: self.now_ns)
        self.registry = CollectorRegistry()
        self.sender = Sender(
            lambda: [self.store],
            {"": webhook_post(allowed)},
            AlertMetrics(self.registry),
            clock=lambda: self.now_ns,
            chance=lambda: 1.0,
        )

    def send_to(self, url: str, *, output_id: str = "shop", number: int = 1, **fields: Any) -> None:
        output = Output(output_id=output_id, name="Shop", url=url, secret=SECRET, **fields)
        self.alerts.save_output(output)
        self.queue(output_id, number)

    def queue(self, output_id: str = "shop", number: int = 1) -> None:
        alert = Alert(
            alert_id=f"{number:024}",
            rule_id="r",
            rule_name="Rule",
            when="enters",
            site_id="site",
            time_ns=self.now_ns,
            raised_ns=self.now_ns,
            identity_id=number,
            place="Entrance",
            reason="entered Entrance",
        )
        self.alerts.record([alert], {}, [Delivery(output_id=output_id, alert=alert, due_ns=self.now_ns)])

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)

    def state(self) -> list[tuple[str, int, str]]:
        return [(one.state, one.tries, one.error) for one in self.alerts.deliveries()]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_an_alert_arrives_signed(receiver: Receiver) -> None:
    site = Sending()
    site.store.write(Write(0, 0, 2, identities=[Identity(1, 0, 0, (), 0, name="Änn")]))
    site.send_to(receiver.url + "?k=1")
    assert site.sender.send_due() == 1
    (request,) = receiver.requests
    given = request.headers["Climbtrack-Timestamp"].encode() + b"." + request.body
    expected = "v1=" + hmac.new(SECRET.encode(), given, hashlib.sha256).hexdigest()
    assert (request.path, request.headers["Climbtrack-Signature"]) == ("/hook?k=1", expected)
    said = request.json()
    assert (said["identity"], said["name"], said["text"]) == (1, "Änn", "Änn entered Entrance")
    assert request.headers["Climbtrack-Delivery"] == f"shop/{said['alert_id']}"
    assert (site.state(), site.sender.send_due()) == ([], 0)
    assert site.registry.get_sample_value("climbtrack_alert_deliveries_total", {"outcome": "sent"}) == 1


def test_a_login_in_the_address_is_sent_as_such_and_never_logged(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    site = Sending()
    receiver.answers = [500]
    site.send_to(receiver.url.replace("127", "me:p%40ss@127") + "/T0KEN")
    site.sender.send_due()
    assert receiver.requests[0].headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert not any(secret in caplog.text + str(site.state()) for secret in ("p%40ss", "p@ss", "T0KEN", SECRET))


def test_a_failure_is_tried_again_after_growing_pauses_until_it_works(receiver: Receiver) -> None:
    site = Sending()
    receiver.answers = [500, 503]
    site.send_to(receiver.url)
    site.sender.send_due()
    assert site.state() == [("waiting", 1, "127.0.0.1: answers 500")]
    site.pass_s(4.9)
    assert site.sender.send_due() == 0
    site.pass_s(0.1)
    assert site.sender.send_due() == 1
    site.pass_s(9.9)
    assert site.sender.send_due() == 0
    site.pass_s(0.1)
    site.sender.send_due()
    assert (len(receiver.requests), site.state()) == (3, [])
    assert len({request.headers["Climbtrack-Delivery"] for request in receiver.requests}) == 1


def test_after_many_failures_an_alert_is_given_up_visibly_and_can_be_sent_again(receiver: Receiver) -> None:
    site = Sending()
    receiver.answers = [500] * MAX_TRIES
    site.send_to(receiver.url)
    for _ in range(2 * MAX_TRIES):
        site.sender.send_due()
        site.pass_s(3600)
    assert site.state() == [("dead", MAX_TRIES, "127.0.0.1: answers 500")]
    assert len(receiver.requests) == MAX_TRIES


@pytest.mark.parametrize(("status", "words"), [(410, "nobody wants"), (301, "not followed"), (307, "new address")])
def test_some_answers_end_it_at_once(receiver: Receiver, status: int, words: str) -> None:
    receiver.answers, receiver.headers = [status], {"Location": receiver.url}
    site = Sending()
    site.send_to(receiver.url)
    site.sender.send_due()
    ((state, tries, error),) = site.state()
    assert (state, tries, words in error, len(receiver.requests)) == ("dead", 1, True, 1)


@pytest.mark.parametrize(("asked", "waited_s"), [("60", 60), ("99999999", 3600), ("-5", 5), ("soon", 5), ("inf", 5)])
def test_a_receiver_may_ask_for_patience_within_bounds(receiver: Receiver, asked: str, waited_s: float) -> None:
    receiver.answers, receiver.headers = [429], {"Retry-After": asked}
    site = Sending()
    site.send_to(receiver.url)
    site.sender.send_due()
    (waiting,) = site.alerts.deliveries()
    assert waiting.due_ns - site.now_ns == waited_s * S


def test_one_output_that_fails_holds_up_no_other_and_is_asked_once(receiver: Receiver) -> None:
    with Receiver(answers=[500]) as broken:
        site = Sending()
        for number in (1, 2, 3):
            site.send_to(broken.url, output_id="broken", number=number)
            site.send_to(receiver.url, number=number)
        site.sender.send_due()
        assert (len(broken.requests), len(receiver.requests)) == (1, 3)
        assert [tries for _, tries, _ in site.state()] == [1, 0, 0]
        site.pass_s(5)
        site.sender.send_due()
        assert [one.json()["identity"] for one in broken.requests] == [1, 1, 2, 3]


def test_a_server_that_says_nothing_is_left(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_S", 0.3)
    receiver.silent = True
    site = Sending()
    site.send_to(receiver.url)
    site.sender.send_due()
    assert site.state() == [("waiting", 1, "127.0.0.1: no answer within 0.3 s")]


def test_a_server_that_drips_its_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TOTAL_S", 0.4)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            taken, _ = server.accept()
            with taken:
                while not done.wait(0.05):
                    try:
                        taken.send(b"H")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        site = Sending()
        site.send_to(f"http://127.0.0.1:{server.getsockname()[1]}/")
        site.sender.send_due()
        done.set()
        dripping.join()
    ((state, _, error),) = site.state()
    assert (state, "no answer within" in error) == ("waiting", True)


def test_nobody_listening_is_a_failure_with_a_cause() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    site = Sending()
    site.send_to(f"http://127.0.0.1:{port}/")
    site.sender.send_due()
    ((state, _, error),) = site.state()
    assert (state, "refused" in error) == ("waiting", True)


def test_a_certificate_that_nobody_vouches_for_has_to_be_given(tmp_path: Path) -> None:
    with Receiver(certificate=tmp_path) as receiver:
        site = Sending()
        site.send_to(receiver.url)
        site.sender.send_due()
        assert "give the SHA-256 of its certificate" in site.state()[0][2]
        site.send_to(receiver.url, certificate="0" * 64)
        site.sender.send_due()
        assert f"SHA-256 {receiver.digest}" in site.state()[0][2]
        assert receiver.requests == []
        site.send_to(receiver.url, certificate=receiver.digest)
        site.sender.send_due()
        assert len(receiver.requests) == 1


def test_a_deleted_output_gets_nothing_more(receiver: Receiver) -> None:
    site = Sending()
    site.send_to(receiver.url)
    site.alerts.delete_output("shop")
    site.sender.send_due()
    assert (site.state(), receiver.requests) == ([], [])


@pytest.mark.parametrize("allowed", [(), ("192.168.0.0/16",), ("localhost",)])
def test_an_address_of_this_network_has_to_be_allowed(receiver: Receiver, allowed: tuple[str, ...]) -> None:
    site = Sending(allowed)
    site.send_to(receiver.url)
    site.sender.send_due()
    ((state, _, error),) = site.state()
    assert (state, "add 127.0.0.1 to alerts.webhook_hosts" in error, receiver.requests) == ("dead", True, [])


@pytest.mark.parametrize(
    ("address", "allowed", "expected"),
    [
        pytest.param("93.184.216.34", (), True, id="public"),
        pytest.param("10.0.0.5", (), False, id="private"),
        pytest.param("10.0.0.5", ("10.0.0.0/8",), True, id="in a listed network"),
        pytest.param("10.0.0.5", ("Hook.LAN",), True, id="a listed name"),
        pytest.param("10.0.0.5", ("other.lan", "192.168.0.0/16"), False, id="listed are others"),
        pytest.param("169.254.169.254", ("10.0.0.0/8",), False, id="metadata of a cloud"),
        pytest.param("100.64.0.1", (), False, id="behind a provider's NAT"),
        pytest.param("224.0.0.1", (), False, id="multicast"),
        pytest.param("0.0.0.0", (), False, id="any"),
        pytest.param("::1", (), False, id="loopback, IPv6"),
        pytest.param("::ffff:127.0.0.1", (), False, id="IPv4 within IPv6"),
        pytest.param("::ffff:127.0.0.1", ("127.0.0.1",), True, id="IPv4 within IPv6, listed"),
        pytest.param("64:ff9b::7f00:1", (), False, id="behind NAT64"),
        pytest.param("2002:7f00:1::", (), False, id="behind 6to4"),
        pytest.param("fe80::1%eth0", (), False, id="link"),
        pytest.param("fd00::1", ("fd00::/8",), True, id="a listed network, IPv6"),
    ],
)
def test_where_webhooks_may_go(address: str, allowed: tuple[str, ...], expected: bool) -> None:
    if expected:
        check_address("hook.lan", address, allowed)
        return
    with pytest.raises(NotSent, match=r"add hook\.lan to alerts\.webhook_hosts"):
        check_address("hook.lan", address, allowed)


def test_hosts_in_the_environment_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIMBTRACK_ALERTS_WEBHOOK_HOSTS", "hook.lan, 10.0.0.0/8")
    assert AlertSettings.load().webhook_hosts == ("hook.lan", "10.0.0.0/8")


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_hosts": ["https://hook.lan/"]},
        {"mqtt_url": "tcp://broker"},
        {"mqtt_url": "mqtt://me:pw@broker"},
        {"mqtt_topic": "a/#"},
        {"mqtt_topic": "/a"},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        AlertSettings.load(None, **wrong)
