"""Times in queries, as people and programs write them."""

import pytest

from gallery.api.moment import nanoseconds

S = 1_000_000_000
NOON = 1_795_694_854 * S  # 2026-11-26T12:07:34Z


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        pytest.param("2026-11-26T12:07:34Z", NOON, id="UTC"),
        pytest.param("2026-11-26t12:07:34z", NOON, id="in small letters"),
        pytest.param("2026-11-26T12:07:34", NOON, id="without a zone"),
        pytest.param("2026-11-26 12:07:34", NOON, id="with a space"),
        pytest.param("2026-11-26T14:07:34+02:00", NOON, id="east"),
        pytest.param("2026-11-26T14:07:34 02:00", NOON, id="east, the plus not escaped"),
        pytest.param("2026-11-26 14:07:34 0200", NOON, id="east, with spaces and no colon"),
        pytest.param("2026-11-26T07:07:34-05:00", NOON, id="west"),
        pytest.param("20261126T120734Z", NOON, id="the basic form"),
        pytest.param("2026-11-26T12:07:34.890Z", NOON + 890_000_000, id="milliseconds"),
        pytest.param("2026-11-26T12:07:34.890123456Z", NOON + 890_123_000, id="nanoseconds, of which us are kept"),
        pytest.param("2026-11-26", NOON - (12 * 3600 + 7 * 60 + 34) * S, id="a date"),
        pytest.param("20261126", NOON - (12 * 3600 + 7 * 60 + 34) * S, id="a date in the basic form"),
        pytest.param("2026-11", 1_793_491_200 * S, id="a month"),
        pytest.param("2026", 1_767_225_600 * S, id="a year, and not a second of 1970"),
        pytest.param("1795694854", NOON, id="seconds"),
        pytest.param("1795694854.25", NOON + S // 4, id="a fraction of seconds"),
        pytest.param("1.795694854e9", NOON, id="seconds with an exponent"),
        pytest.param("1795694854890", NOON + 890_000_000, id="milliseconds since 1970"),
        pytest.param("1795694854890123", NOON + 890_123_000, id="microseconds since 1970"),
        pytest.param("1795694854890123456", NOON + 890_123_456, id="nanoseconds since 1970"),
        pytest.param(" 1795694854 ", NOON, id="spaces around"),
        pytest.param("0", 0, id="the beginning"),
        pytest.param("-0", 0, id="minus nothing"),
    ],
)
def test_a_time_is_read(text: str, time_ns: int) -> None:
    assert nanoseconds(text) == time_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "inf",
        "-infinity",
        "1e300",
        "-1",
        "1_000",
        "\u0661\u0662",
        "0x10",
        "true",
        "now",
        "2026-13-01",
        "2026-13",
        "1950",
        "2026-11-26T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31",
        "9" * 5000,
        "2026-11-26T12:07:34+02:00+02:00",
        "\x00",
        "\ud800",
    ],
    ids=ascii,
)
def test_what_is_not_a_time_is_refused_with_the_expected_format(text: str) -> None:
    with pytest.raises(ValueError, match="expected an ISO 8601 time like 2026-11-26T13:07") as caught:
        nanoseconds(text)
    assert len(str(caught.value)) < 400
