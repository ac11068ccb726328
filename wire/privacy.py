"""What of a camera's pictures may leave the worker; it travels with every chunk, so that whoever has them knows it."""

from typing import Literal

Privacy = Literal["full", "blurred", "embeddings"]
