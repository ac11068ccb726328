"""Messages to bytes and back: one byte of schema version, then msgpack.

Arrays travel as (dtype, shape, raw little-endian bytes) and come back read-only, without a copy.
"""

from functools import cache
from typing import Any, get_args, get_origin

import msgspec
import numpy as np
from numpy.typing import NDArray

from wire.errors import DecodeError
from wire.messages import AnyMessage

SCHEMA_VERSION = 1  # raised only when an older reader would misunderstand a message; new optional fields do not


def _encode_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.dtype.newbyteorder("<").str, value.shape, np.ascontiguousarray(value).tobytes()
    raise NotImplementedError(f"cannot send a {type(value).__name__}")


def _decode_array(expected: Any, value: Any) -> NDArray[Any]:
    wanted = _dtype_of(expected)
    dtype, shape, data = value
    if dtype != wanted.str and np.dtype(dtype) != wanted:
        raise ValueError(f"array must be {wanted}, got {dtype}")
    return np.frombuffer(data, wanted).reshape(shape)


@cache  # of a few types of fields: taking one apart costs more than reading the array
def _dtype_of(expected: Any) -> np.dtype[Any]:
    if get_origin(expected) is not np.ndarray:
        raise NotImplementedError(f"cannot read a {expected}")
    wanted: np.dtype[Any] = np.dtype(get_args(get_args(expected)[1])[0])
    return wanted


_encoder = msgspec.msgpack.Encoder(enc_hook=_encode_array)
_decoder = msgspec.msgpack.Decoder(AnyMessage, dec_hook=_decode_array)


def encode(message: AnyMessage) -> bytes:
    """Encode a message."""
    return bytes((SCHEMA_VERSION,)) + _encoder.encode(message)


def decode(data: bytes) -> AnyMessage:
    """Decode a message.

    Raises:
        DecodeError: The bytes are empty, truncated, of another schema version, or violate a rule of the message.
    """
    if not data:
        raise DecodeError("empty record")
    if data[0] != SCHEMA_VERSION:
        raise DecodeError(f"schema version {data[0]}, this reader supports {SCHEMA_VERSION}")
    try:
        message: AnyMessage = _decoder.decode(memoryview(data)[1:])
    except (msgspec.MsgspecError, ValueError, TypeError, NotImplementedError) as error:
        raise DecodeError(f"not a valid message: {error}") from error
    return message
