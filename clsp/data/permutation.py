"""A shuffled order that needs no memory: element i of a permutation of n, computed on its own.

The order of an epoch of 10^8 clips must cost nothing to store and nothing to resume from, so it is a keyed
bijection (a Feistel network with cycle walking) rather than a shuffled list.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

_ROUNDS = 4


@dataclass(frozen=True)
class Permutation:
    """Bijection of 0 … size-1 chosen by ``key``; two keys give unrelated orders."""

    size: int
    key: str

    def __getitem__(self, index: int) -> int:
        """Where ``index`` goes; IndexError outside 0 … size-1."""
        if not 0 <= index < self.size:
            raise IndexError(f"{index} is outside a permutation of {self.size}")
        image = self._mixed(index)
        while image >= self.size:
            image = self._mixed(image)
        return image

    @cached_property
    def _half_bits(self) -> int:
        return max(1, ((self.size - 1).bit_length() + 1) // 2)

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        return tuple(hashlib.sha256(f"{self.key}/{number}".encode()).digest() for number in range(_ROUNDS))

    def _mixed(self, value: int) -> int:
        """One pass of the network over 2 × half_bits bits."""
        mask = (1 << self._half_bits) - 1
        left, right = value >> self._half_bits, value & mask
        for key in self._keys:
            noise = hashlib.blake2b(right.to_bytes(8, "little"), digest_size=8, key=key).digest()
            left, right = right, left ^ (int.from_bytes(noise, "little") & mask)
        return left << self._half_bits | right
