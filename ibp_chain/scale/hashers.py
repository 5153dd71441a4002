"""The hashers of storage keys. Source: `frame_support::hash`, `sp_crypto_hashing`."""

from collections.abc import Callable
from hashlib import blake2b

import xxhash

from ibp_chain.scale.metadata import Hasher


def blake2_128(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def twox(data: bytes, bits: int) -> bytes:
    """xxHash64 with the seeds 0, 1, … one after the other, little-endian."""
    return b"".join(
        xxhash.xxh64_intdigest(data, seed).to_bytes(8, "little") for seed in range(bits // 64)
    )


def twox_128(data: bytes) -> bytes:
    return twox(data, 128)


HASH: dict[Hasher, Callable[[bytes], bytes]] = {
    Hasher.BLAKE2_128: blake2_128,
    Hasher.BLAKE2_256: lambda data: blake2b(data, digest_size=32).digest(),
    Hasher.BLAKE2_128_CONCAT: lambda data: blake2_128(data) + data,
    Hasher.TWOX_128: twox_128,
    Hasher.TWOX_256: lambda data: twox(data, 256),
    Hasher.TWOX_64_CONCAT: lambda data: twox(data, 64) + data,
    Hasher.IDENTITY: lambda data: data,
}

PREFIX_SIZE: dict[Hasher, int] = {
    Hasher.BLAKE2_128_CONCAT: 16,
    Hasher.TWOX_64_CONCAT: 8,
    Hasher.IDENTITY: 0,
}
"""Bytes of hash in front of the key, for the hashers that keep the key itself."""
