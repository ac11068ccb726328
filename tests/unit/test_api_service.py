"""`climbtrack api` as a process: it stops on a signal like every other service, and reports an occupied port."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI

from deploy.local.api_server import ApiServer, bind
from gallery.api.__main__ import listen, serve
from gallery.api.address import open_listener
from gallery.api.app import create_app
from gallery.config import ApiSettings
from gallery.store.memory import MemoryStore
from tests.conftest import PATIENCE_S, wait_until
from wire.errors import SettingsError
from wire.memory import MemoryBus


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_api_and_does_not_kill_its_process(number: int) -> None:
    bus = MemoryBus()
    bus.ensure_topics()
    with listen("127.0.0.1", 0) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/healthz"

        def ask_and_signal() -> None:
            wait_until(lambda: httpx.get(url, timeout=PATIENCE_S).is_success)
            os.kill(os.getpid(), number)

        asking = threading.Thread(target=ask_and_signal)
        asking.start()
        serve(create_app(MemoryStore("site"), bus, ApiSettings()), taken)  # a KeyboardInterrupt, or our end, before
        asking.join()
    bus.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_is_sent_does_not_wait_for_the_client_to_acknowledge_what_came_before(host: str) -> None:
    async def option_of_a_connection() -> int:
        accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        listener = open_listener(host, 0)
        server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), sock=listener)
        _, client = await asyncio.open_connection(*listener.getsockname()[:2])
        served = await accepted
        option: int = served.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for writer in (client, served):
            writer.close()
            await writer.wait_closed()
        server.close()
        return option

    assert asyncio.run(option_of_a_connection())


def test_an_occupied_port_is_a_settings_error(free_port: Callable[[], int]) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SettingsError) as caught:
        listen("127.0.0.1", port)
    assert (
        str(caught.value)
        == f"api address 127.0.0.1:{port}: Address already in use; choose another port, or 0 for any free one"
    )


def test_an_api_beside_busy_threads_is_given_its_turn_soon_and_others_are_left_as_they_were() -> None:
    usual_s = sys.getswitchinterval()

    with ApiServer(FastAPI(), bind("127.0.0.1", 0)):
        assert sys.getswitchinterval() <= 0.001

    assert sys.getswitchinterval() == usual_s
