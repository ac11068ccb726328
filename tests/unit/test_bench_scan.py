"""`climbtrack bench parity|scan`: one JSON object of rows, each implementation beside the reference."""

import json

import pytest

from deploy.cli.main import main


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["bench", *arguments, "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    return found


def test_parity_names_every_tensor_of_every_implementation_dtype_and_length(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = rows(capsys, "parity", "--device", "cpu", "--length", "1", "--length", "6", "--width", "8")
    keys = [(row["implementation"], row["dtype"], row["length"], row["tensor"]) for row in found]
    assert len(keys) == len(set(keys)) == 3 * 3 * 2 * 7
    assert {row["direction"] for row in found if row["tensor"] == "y"} == {"forward"}
    assert all(0 <= float(str(row["relative_error"])) < 1e-2 for row in found)
    assert all(float(str(row["relative_error"])) < 1e-5 for row in found if row["dtype"] == "float32")


def test_speed_is_told_for_both_directions_beside_the_reference_and_the_floor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = rows(capsys, "scan", "--device", "cpu", "--length", "4", "--width", "8", "--batch", "2")
    assert {row["direction"] for row in found} == {"forward", "backward"}
    assert {row["implementation"] for row in found} == {"fused", "parallel", "sequential", "exponentials alone"}
    assert all(float(str(row["seconds"])) > 0 for row in found)
    assert all(row["times_sequential"] == 1 for row in found if row["implementation"] == "sequential")


def test_only_the_implementations_asked_for_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "parity", "--device", "cpu", "--length", "2", "--width", "4", "--implementation", "fused")
    assert {row["implementation"] for row in found} == {"fused"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["parity", "--implementation", "magic"], "--implementation magic: must be one of mamba_ssm, triton, fused"),
        (["scan", "--dtype", "int8"], "--dtype int8: must be one of float32, bfloat16, float16"),
        (["scan", "--device", "abacus"], "--device abacus:"),
    ],
)
def test_what_does_not_exist_ends_with_2_and_is_named(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    assert complaint in capsys.readouterr().err
