"""Full-text search of the catalog, in memory: which entries have these words, where, and how many of each kind.

The index is made anew of what the metadata and the project say, so that it is never behind them, and the same on every
database. Words of a query are plain text: no sign in them means anything but the end of a word.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from treadle.records.catalog import (
    CATALOG_KINDS,
    EMPTY_FIELDS,
    CatalogAnswer,
    CatalogEntry,
    CatalogHit,
    CatalogQuery,
)
from treadle.records.errors import InvalidInput, did_you_mean

WEIGHTS: Mapping[str, int] = {
    "name": 16,
    "column": 8,
    "tag": 4,
    "owner": 4,
    "entity": 4,
    "kind": 2,
    "description": 1,
}
"""What a word that stands in a field counts; a whole word counts half as much again as the beginning of one."""
FIELDS = tuple(WEIGHTS)
FACETS = ("kind", "owner", "tag")
WHOLE_NAME = 100
_WEIGHT = np.array(
    [
        max((weight for at, weight in enumerate(WEIGHTS.values()) if bits >> at & 1), default=0)
        for bits in range(256)
    ],
    np.float32,
)
"""The best weight of a set of fields, given as bits."""
_WORD = re.compile(r"[^\W_]+")
_END = "\U0010ffff"
_MOST_WORDS = 20
_LONGEST = 100


Numbers: TypeAlias = NDArray[np.int32]
Mask: TypeAlias = NDArray[np.bool_]


class CatalogIndex:
    """Entries by the words in them.

    Args:
        entries: what can be found.

    Cost: 100,000 entries take seconds to index and milliseconds to search; a thousand take some 10 ms and one.
    """

    def __init__(self, entries: Sequence[CatalogEntry]) -> None:
        self.entries = tuple(entries)
        self._vocabulary, self._begins, self._who, self._bits = _postings(self.entries)
        order = {kind: at for at, kind in enumerate(CATALOG_KINDS)}
        ranked = sorted(
            range(len(self.entries)),
            key=lambda number: (
                order.get(self.entries[number].kind, 99),
                len(self.entries[number].name),
                self.entries[number].name,
            ),
        )
        self._rank = np.empty(len(ranked), np.int32)
        self._rank[ranked] = np.arange(len(ranked), dtype=np.int32)
        self._named: dict[str, list[int]] = {}
        for number, entry in enumerate(self.entries):
            self._named.setdefault(entry.name.casefold(), []).append(number)
        self._facets = {facet: _coded(self.entries, facet) for facet in FACETS}

    def search(self, query: CatalogQuery) -> CatalogAnswer:
        """Return the entries that fit, the best first, with counts of what else could be asked. Pure.

        Raises:
            InvalidInput: a kind, or a field that is to be empty, is none; or nothing is to be listed.
        """
        check_query(query)
        words = words_of(query.words)
        fits, scores, bits = self._scored(words)
        if query.words.strip() and not words:  # signs only: they are in no word
            fits[:] = False
        found = bool(fits.any())
        conditions = self._conditions(query)
        facets = {}
        for facet in FACETS:
            others = [mask for name, mask in conditions.items() if name != facet]
            facets[facet] = self._counted(facet, _all(fits, others))
        numbers = np.flatnonzero(_all(fits, list(conditions.values())))
        whole = query.words.strip().casefold()
        scores[self._named.get(whole, [])] += WHOLE_NAME
        best = numbers[np.lexsort((self._rank[numbers], -scores[numbers]))][: query.limit]
        hits = tuple(
            CatalogHit(
                self.entries[n],
                tuple(f for at, f in enumerate(FIELDS) if bits[n] >> at & 1),
                float(scores[n]),
            )
            for n in best
        )
        near = () if found or not words else self._near(words)
        return CatalogAnswer(hits=hits, total=len(numbers), facets=facets, did_you_mean=near)

    def _scored(self, words: Sequence[str]) -> tuple[Mask, NDArray[np.float32], NDArray[np.uint8]]:
        """Return which entries have all words, how good they are, and in which fields (as bits)."""
        many = len(self.entries)
        fits, scores = np.ones(many, np.bool_), np.zeros(many, np.float32)
        fields = np.zeros(many, np.uint8)
        for word in dict.fromkeys(words):
            who, bits, whole = self._having(word)
            best = np.zeros(many, np.float32)
            np.maximum.at(best, who, _WEIGHT[bits] * np.where(whole, np.float32(1.5), np.float32(1)))
            np.bitwise_or.at(fields, who, bits)
            fits &= best > 0
            scores += best
        return fits, scores, fields

    def _having(self, word: str) -> tuple[Numbers, NDArray[np.uint8], Mask]:
        """Return the entries that have a word that begins so, in which fields, and whether it is the whole word."""
        begin = bisect_left(self._vocabulary, word)
        end = bisect_left(self._vocabulary, word + _END)
        span = slice(self._begins[begin], self._begins[end])
        whole = np.zeros(span.stop - span.start, np.bool_)
        if begin < end and self._vocabulary[begin] == word:
            whole[: self._begins[begin + 1] - span.start] = True
        return self._who[span], self._bits[span], whole

    def _conditions(self, query: CatalogQuery) -> dict[str, Mask]:
        """Return the conditions that were set, those of facets under their names."""
        found: dict[str, Mask] = {}
        for facet, wanted in (("kind", query.kinds), ("owner", query.owners), ("tag", query.tags)):
            if wanted:
                values, who, codes = self._facets[facet]
                asked = {value.casefold() for value in wanted}
                among = np.array([value.casefold() in asked for value in values], np.bool_)
                found[facet] = np.zeros(len(self.entries), np.bool_)
                if values:
                    found[facet][who[among[codes]]] = True
        for name in query.empty:
            found[f"empty {name}"] = np.array([not getattr(one, name) for one in self.entries], np.bool_)
        if query.unused:
            found["unused"] = np.array([one.unused for one in self.entries], np.bool_)
        return found

    def _counted(self, facet: str, fits: Mask) -> dict[str, int]:
        """Return how many entries that fit have each value, the most frequent first."""
        values, who, codes = self._facets[facet]
        counts = np.bincount(codes[fits[who]], minlength=len(values)).tolist() if values else []
        pairs = ((value, int(count)) for value, count in zip(values, counts, strict=True) if count)
        return dict(sorted(pairs, key=lambda item: (-item[1], item[0])))

    def _near(self, words: Sequence[str]) -> tuple[str, ...]:
        """Return the query with each unknown word replaced by those it is nearly."""
        found = []
        for word in words:
            if len(self._having(word)[0]):
                found.append([word])
                continue
            likely = [
                one for one in self._vocabulary if abs(len(one) - len(word)) <= 2 and set(one) & set(word[:2])
            ]
            found.append(get_close_matches(word, likely, n=3, cutoff=0.7))
        if not all(found):
            return ()
        best = [options[0] for options in found]
        meant = [" ".join(best)]
        for at, options in enumerate(found):
            meant += [" ".join([*best[:at], other, *best[at + 1 :]]) for other in options[1:]]
        return tuple(text for text in dict.fromkeys(meant) if text != " ".join(words))[:3]


def words_of(text: str) -> list[str]:
    """Return the words of a text, lower-case, without accents; everything but letters and digits separates them. Pure."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    if plain is not text:
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [word[:_LONGEST] for word in _WORD.findall(plain.casefold())]


def check_query(query: CatalogQuery) -> None:
    """Refuse a query that cannot be meant. Pure.

    Raises:
        InvalidInput: every fault is listed.
    """
    faults = [
        f"there is no kind {kind!r}; {did_you_mean(kind, CATALOG_KINDS) or 'kinds are ' + ', '.join(CATALOG_KINDS)}"
        for kind in query.kinds
        if kind not in CATALOG_KINDS
    ]
    faults += [
        f"{name!r} cannot be asked to be empty; fields are {', '.join(EMPTY_FIELDS)}"
        for name in query.empty
        if name not in EMPTY_FIELDS
    ]
    if query.limit < 1:
        faults.append(f"limit={query.limit}: at least one entry is to be listed")
    if len(words_of(query.words)) > _MOST_WORDS:
        faults.append(f"more than {_MOST_WORDS} words")
    if faults:
        raise InvalidInput("the catalog cannot be asked this", faults=faults)


def _postings(
    entries: Sequence[CatalogEntry],
) -> tuple[list[str], list[int], Numbers, NDArray[np.uint8]]:
    """Return the words in order, where those of each begin, and for each word its entries with the fields as bits."""
    split = lru_cache(maxsize=200_000)(words_of)
    numbers: dict[str, int] = {}
    keys: list[int] = []
    bits: list[int] = []
    for number, entry in enumerate(entries):
        here: dict[str, int] = {}
        for at, text in _texts(entry):
            for word in split(text):
                here[word] = here.get(word, 0) | 1 << at
        for word, some in here.items():
            keys.append(numbers.setdefault(word, len(numbers)) << 32 | number)
            bits.append(some)
    vocabulary = sorted(numbers)
    place = np.empty(len(numbers), np.int64)
    for at, word in enumerate(vocabulary):
        place[numbers[word]] = at
    packed = np.array(keys, np.int64)
    words, who = place[packed >> 32], (packed & 0xFFFFFFFF).astype(np.int32)
    order = np.lexsort((who, words))
    begins = np.searchsorted(words[order], np.arange(len(vocabulary) + 1)).tolist()
    return vocabulary, begins, who[order], np.array(bits, np.uint8)[order]


def _texts(entry: CatalogEntry) -> Iterator[tuple[int, str]]:
    """Yield the number of a field and its text."""
    yield 0, entry.name
    for column in entry.columns:
        yield 1, column
    for tag in entry.tags:
        yield 2, tag
    yield 3, entry.owner
    yield 4, entry.entity
    yield 5, entry.kind
    yield 6, entry.description
    if entry.deprecated:
        yield 6, entry.deprecated


def _coded(entries: Sequence[CatalogEntry], facet: str) -> tuple[list[str], Numbers, Numbers]:
    """Return the values of a facet, and pairs of an entry and the number of a value it has."""
    numbers: dict[str, int] = {}
    who, codes = [], []
    for number, entry in enumerate(entries):
        values = entry.tags if facet == "tag" else (getattr(entry, facet),)
        for value in dict.fromkeys(values):
            if value:
                who.append(number)
                codes.append(numbers.setdefault(value, len(numbers)))
    return list(numbers), np.array(who, np.int32), np.array(codes, np.int32)


def _all(fits: Mask, others: Sequence[Mask]) -> Mask:
    for other in others:
        fits = fits & other
    return fits
