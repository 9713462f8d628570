"""What was used last, bounded by its bytes."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping that keeps its last used entries, as far as they take `most` bytes together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def get(self, key: K) -> tuple[V, int]:
        """The entry of `key` and its bytes; it becomes the last used. Raises KeyError."""
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: K, value: V, size: int) -> None:
        """Set an entry of so many bytes; those unused longest leave when they take too much."""
        self.drop(key)
        self._entries[key] = (value, size)
        self._taken += size
        while self._taken > self._most:
            _, (_, left) = self._entries.popitem(last=False)
            self._taken -= left

    def drop(self, key: K) -> None:
        """Forget an entry, if there is one."""
        found = self._entries.pop(key, None)
        if found is not None:
            self._taken -= found[1]

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._taken = 0
