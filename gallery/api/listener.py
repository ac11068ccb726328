"""A thread that looks at the store, and gives what is new there to an event loop."""

import asyncio
import logging
import threading
from collections.abc import Callable

from gallery.errors import StoreRefused
from wire.errors import TransientError
from wire.outage import Outage

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Listener:
    """Calls `look` again and again, which returns after how many seconds it is to be called next.

    A store that fails is said in the log, and `look` is called again a second later: the rest of the API keeps working.
    """

    def __init__(self, what: str, look: Callable[[], float]) -> None:
        self._look = look
        self._outage = Outage(log, what)
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._listen, name=f"api-{what}", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start looking; what is handed over is taken in this event loop."""
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def hand_over(self, take: Callable[[], object]) -> None:
        """Have the event loop call `take` soon."""
        assert self._loop is not None, "started before"
        try:
            self._loop.call_soon_threadsafe(take)
        except RuntimeError:  # the event loop is closed: the process is shutting down
            self._stop.set()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                wait_s = self._look()
            except (TransientError, StoreRefused) as error:
                self._outage.met(error)
                wait_s = RETRY_S
            else:
                self._outage.over()
            self._stop.wait(wait_s)
