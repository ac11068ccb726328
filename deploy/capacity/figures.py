"""The figures that a plan rests on, each with how it was found."""

from datetime import date
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """A figure: its value, and how it was found; `assumed` ones were not measured."""

    name: str
    value: float
    unit: str
    found: Literal["measured", "assumed"]
    date: date
    how: str


@cache
def figures() -> dict[str, Figure]:
    """Return all figures by name."""
    text = files("deploy.capacity").joinpath("figures.yaml").read_text(encoding="utf-8")
    return {one.name: one for one in msgspec.yaml.decode(text, type=list[Figure])}


def value(name: str) -> float:
    """Return the value of a figure."""
    return figures()[name].value
