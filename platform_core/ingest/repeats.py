"""Rows of one load that have the key of another one and say something else: of them only the last one counts."""

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_core.ingest.records import Batch

REMEMBERED = 1_000_000
"""Records that are remembered from batch to batch, some 100 MB; later ones are compared within their batch only."""
_EXAMPLES = 2


class Repeats:
    """Counts them while a load goes on. Records with a version are meant to come again and are not looked at.

    Whole batches are compared as sets of hashes, so a load of 10,000 rows pays some milliseconds.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._examples: dict[str, None] = {}
        self.count = 0

    def look(self, batch: "Batch") -> None:
        """Compare a batch with itself and with those before."""
        if batch.versions.count(None) < len(batch.versions):
            return
        hashes = batch.hashes
        for key, places in batch.repeated.items():
            self._add(key, sum(hashes[one] != hashes[other] for one, other in pairwise(places)))
        firsts = map(hashes.__getitem__, batch.places.values())
        now = dict(zip(map(hash, batch.places), map(hash, firsts), strict=True))
        common = now.keys() & self._seen.keys()
        changed = {key for key in common if now[key] != self._seen[key]}
        if changed:
            for key in batch.places:
                if hash(key) in changed:
                    self._add(key, 1)
        for key, places in batch.repeated.items():
            now[hash(key)] = hash(hashes[places[-1]])
        if len(self._seen) < REMEMBERED:
            self._seen |= now
        else:
            self._seen |= {key: now[key] for key in common}

    def _add(self, key: str, count: int) -> None:
        if count:
            self.count += count
            if len(self._examples) < _EXAMPLES:
                self._examples[key] = None

    def warnings(self) -> list[str]:
        """The sentence for a person, where there is something to say."""
        if not self.count:
            return []
        rows = "1 row has" if self.count == 1 else f"{self.count:,} rows have"
        return [
            f"{rows} the key of another row of this load and other content; the last one counts. "
            f"Name a column that tells them apart under `key` in the mapping. Such a key: {', '.join(self._examples)}."
        ]
