"""Reports of tests that failed where Python knows no line."""

import pytest

from tests.conftest import give_lines

NOWHERE = b"\xff" * 40  # table of lines that gives none to 320 instructions


def without_lines() -> None:
    raise TimeoutError("ran out of time")


def raised_without_lines() -> TimeoutError:
    """Return an error that passed a function whose code has no line numbers, as parts of loops have none."""
    code = without_lines.__code__
    without_lines.__code__ = code.replace(co_linetable=NOWHERE)
    try:
        without_lines()
    except TimeoutError as error:
        return error
    finally:
        without_lines.__code__ = code
    raise AssertionError


def test_a_failure_where_python_knows_no_line_is_reported_at_the_beginning_of_its_function() -> None:
    error = raised_without_lines()
    with pytest.raises(TypeError):
        pytest.ExceptionInfo.from_exception(error).getrepr(style="long")

    assert give_lines(error)

    shown = str(pytest.ExceptionInfo.from_exception(error).getrepr(style="long"))
    assert "without_lines" in shown
    assert "ran out of time" in shown


def test_the_cause_of_a_failure_gets_lines_too() -> None:
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError("because") from raised_without_lines()

    assert give_lines(caught.value)
    assert "ran out of time" in str(pytest.ExceptionInfo.from_exception(caught.value).getrepr())


def test_other_failures_stay_as_they_are() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    before = caught.value.__traceback__

    assert not give_lines(caught.value)
    assert caught.value.__traceback__ is before


def test_an_error_that_has_no_hash_is_reported_like_any_other() -> None:
    class UnhashableError(Exception):
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            return isinstance(other, UnhashableError)

    with pytest.raises(UnhashableError) as caught:
        raise UnhashableError("refused") from UnhashableError("the cause, which is equal to it")

    assert not give_lines(caught.value)
