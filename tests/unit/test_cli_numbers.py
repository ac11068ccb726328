"""Every number on the command line has its bounds."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
import typer

from deploy.cli.main import app, main
from deploy.cli.options import finite


def numbers(group: typer.Typer, path: str = "climbtrack") -> Iterator[Any]:
    """Yield every option and argument that is a number, of the commands of a group and of the groups in it."""
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from numbers(below.typer_instance, f"{path} {below.typer_instance.info.name}")
    for command in group.registered_commands:
        assert command.callback is not None
        for name, annotation in get_type_hints(command.callback, include_extras=True).items():
            kinds = {int, float} & {*get_args(annotation), *(k for a in get_args(annotation) for k in get_args(a))}
            if kinds and not getattr(annotation.__metadata__[0], "count", False):
                label = f"{path} {command.name or command.callback.__name__} {name}"
                yield pytest.param(kinds.pop(), annotation.__metadata__[0], id=label)


@pytest.mark.parametrize(("kind", "parameter"), tuple(numbers(app)))
def test_a_number_has_a_least_and_a_most_and_is_finite(kind: type, parameter: Any) -> None:
    assert parameter.min is not None
    assert parameter.max is not None
    assert kind is int or parameter.callback is finite, "ranges of some versions of typer let nan pass"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_invalid_usage(value: float) -> None:
    with pytest.raises(typer.BadParameter, match="is not a finite number"):
        finite(value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cameras", "add", "door=0", "--fps", "nan"], "'--fps'"),
        (["synth", "site", "out", "--seed", "1", "--seconds", "nan"], "'--seconds'"),
        (["identities", "show", "9" * 40], "'ID'"),
        (["run", "--camera", "door=0", "--port", "65536"], "'--port'"),
        (["run", "--camera", "../door=0"], "camera_id must be 1-64 letters"),
        (["cameras", "add", "door=0", "--site", "a b"], "site_id must be 1-64 letters"),
        (["cameras", "rm", "../identities"], "must be 1-64 letters"),
        (["run", "--camera", "door=0", "--out", ""], "--out has an empty value"),
        (["run", "--data-dir=", "--camera", "door=0"], "--data-dir has an empty value"),
        (["synth", "site", "--out", "", "--seed", "1"], "--out has an empty value"),
        (["convert", "published.pth", "--out", "ours.safetensors", "--prior", ""], "--prior has an empty value"),
    ],
)
def test_an_invalid_argument_ends_with_2_and_says_why(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())
