"""The tab Recordings of the page in tests: which moments its videos show."""

from datetime import datetime

import httpx
from playwright.sync_api import Locator, Page, Response, expect

from tests.conftest import PATIENCE_S, wait_until
from tests.page_tools import PATIENCE_MS, numbers, open_view

LONG_S = 2.0  # enough to see both videos move
SIZE = "video => [video.videoWidth, video.videoHeight]"
SLIDE = "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input', { bubbles: true })); }"


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class Recordings:
    """The recordings of somebody whom two cameras saw at one time, opened on the page.

    Attributes:
        middle: The middle of the longest time in which both saw them, seconds since 1970.
    """

    def __init__(self, page: Page, address: str) -> None:
        self._page = page
        self._address = address
        self._began: dict[str, float] = {}  # the moment of second 0 of each video, by its address
        self._found: tuple[float, int, float] | None = None
        wait_until(self._seen_by_two, timeout_s=2 * PATIENCE_MS / 1000)
        assert self._found is not None
        _, number, middle = self._found
        self.middle: float = middle
        page.on("response", self._learn)
        open_view(page, f"people/{number}")
        page.get_by_role("tab", name="Recordings").click()
        self.videos: Locator = page.locator(".playback-grid video")
        expect(self.videos).to_have_count(2)

    def sizes(self) -> list[tuple[int, int]]:
        """Return width and height of both pictures, once they are loaded."""
        found: list[tuple[int, int]] = []

        def loaded() -> bool:
            found[:] = [tuple(video.evaluate(SIZE)) for video in self.videos.all()]
            return all(wide for wide, _ in found)

        wait_until(loaded, timeout_s=PATIENCE_MS / 1000)
        return found

    def move_to(self, time_s: float) -> None:
        """Move the slider of both."""
        self._page.get_by_role("slider", name="Time").evaluate(SLIDE, str(round(time_s * 1000)))

    def time(self) -> float:
        """Return where the slider is."""
        return float(self._page.get_by_role("slider", name="Time").input_value()) / 1000

    def moments(self) -> list[float]:
        """Return the capture time of what each of both shows."""
        return [self._moment(figure) for figure in self._page.locator(".playback-grid figure").all()]

    def apart_s(self) -> float:
        """Return how far what is shown is from where the slider is."""
        return max(abs(moment - self.time()) for moment in self.moments())

    def _moment(self, figure: Locator) -> float:
        camera = figure.locator("figcaption b").inner_text()
        began = next(began for url, began in reversed(self._began.items()) if f"/cameras/{camera}/" in url)
        return began + float(figure.locator("video").evaluate("video => video.currentTime"))

    def _learn(self, response: Response) -> None:
        if "climbtrack-since" in response.headers:
            self._began.pop(response.url, None)
            self._began[response.url] = seconds(response.headers["climbtrack-since"])

    def _seen_by_two(self) -> bool:
        """Look for whoever two cameras saw together for longest."""
        for number in numbers(self._address):
            answer = httpx.get(f"{self._address}/v1/identities/{number}/recordings", timeout=PATIENCE_S)
            spans = [
                (one["camera_id"], seconds(one["since"]), seconds(one["until"]))
                for one in (answer.json()["clips"] if answer.is_success else [])
            ]
            for camera, since, until in spans:
                for other, other_since, other_until in spans:
                    begin, end = max(since, other_since), min(until, other_until)
                    if camera < other and end - begin > max(LONG_S, self._found[0] if self._found else 0):
                        self._found = (end - begin, number, (begin + end) / 2)
        return self._found is not None
