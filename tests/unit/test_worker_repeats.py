"""Which chunks repeat a recording that was analysed to its end."""

import pytest
from msgspec.structs import replace

from reid_worker.repeats import Ended, is_repeat
from tests.worker_tools import numbered_image, packets

ENDED = Ended("hall-5f-1", time_ns=100)


@pytest.mark.parametrize(
    ("stream_id", "seq", "sent_ns", "repeated"),
    [
        pytest.param("hall-5f-1", 0, 99, True, id="begun before the end"),
        pytest.param("hall-5f-1", 7, 101, True, id="the rest of what was begun before the end"),
        pytest.param("hall-5f-1", 0, 101, False, id="begun after the end: the camera was added again"),
        pytest.param("hall-5f-0", 0, 99, True, id="the part before the picture changed"),
        pytest.param("hall-5f-2", 0, 99, False, id="the part after the picture changes"),
        pytest.param("hall-60-1", 0, 99, False, id="another recording"),
        pytest.param("hall-5f-none", 0, 99, False, id="a recording without pictures"),
    ],
)
def test_a_chunk_repeats_what_had_ended_when_its_first_one_was_sent(
    stream_id: str, seq: int, sent_ns: int, repeated: bool
) -> None:
    (first, *_) = packets([numbered_image(1)]).chunks(stream=stream_id)
    assert is_repeat(replace(first, seq=seq), sent_ns, ENDED) is repeated
    assert is_repeat(first, sent_ns, None) is False
