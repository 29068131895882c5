"""Checksums of the pages of a Parquet file, which polars neither writes nor compares.

A page's CRC-32 stands in its header (https://parquet.apache.org/docs/file-format/data-pages/checksumming/); without it a
flipped bit in a page is a wrong number and no error. Headers and footer are Thrift structs in the compact protocol, which is
all that is parsed here: `with_checksums` writes each header again with its checksum, and the footer with the places that this
moves; `refuse_damaged_pages` compares the checksums of whoever wrote them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAGIC = b"PAR1"
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEEPEST = 32
Field = tuple[int, Any]
"""Type and value; of a list (type of the elements, elements)."""
Struct = dict[int, Field]
COMPRESSED_SIZE, CRC = 3, 4
"""Fields of a page header."""
ROW_GROUPS, COLUMNS, GROUP_BYTES, GROUP_OFFSET, GROUP_SIZE = 4, 1, 2, 5, 6
"""Fields of the footer, and of a row group in it."""
CHUNK_OFFSET, CHUNK_FACTS, OFFSET_INDEX, COLUMN_INDEX = 2, 3, (4, 5), (6, 7)
"""Fields of a column chunk; of the two page indexes place and size."""
LOCATIONS, LOCATION_OFFSET, LOCATION_SIZE = 1, 1, 2
"""Fields of an offset index, and of a page's location in it."""
NAMES, UNPACKED_SIZE, SIZE, DATA_OFFSET, INDEX_OFFSET, DICTIONARY_OFFSET, BLOOM_OFFSET = 3, 6, 7, 9, 10, 11, 14
"""Fields of a chunk's facts."""


class DamagedPageError(ValueError):
    """A page whose bytes have another checksum than its header says."""


class Page(NamedTuple):
    """One page of a column chunk."""

    start: int
    """Of its header in the file."""
    size: int
    """Of header and body together."""
    header: Struct
    body: memoryview

    @property
    def checksum(self) -> int:
        """CRC-32 of its bytes as they lie in the file, signed as the header has it."""
        found = zlib.crc32(self.body)
        return found - (1 << 32) if found >= 1 << 31 else found


def with_checksums(content: bytes) -> bytes:
    """The same Parquet file with a checksum in every page header.

    Returned as it is where it has Bloom filters, whose places are not moved here; our tables have none. Raises ValueError
    for bytes that are no Parquet file.
    """
    footer, view = _footer(content), memoryview(content)
    groups = _structs(footer, ROW_GROUPS)
    chunks = [chunk for group in groups for chunk in _structs(group, COLUMNS)]
    if any(BLOOM_OFFSET in _facts(chunk) for chunk in chunks):
        return content
    written = _Written([MAGIC], len(MAGIC))
    for group in groups:
        begin = written.place
        grown = sum(_write_chunk(written, view, chunk) for chunk in _structs(group, COLUMNS))
        _set(group, GROUP_OFFSET, begin)
        _add(group, GROUP_SIZE, grown)
        _add(group, GROUP_BYTES, grown)
    for offset, size in (COLUMN_INDEX, OFFSET_INDEX):
        for chunk in chunks:
            _write_index(written, view, chunk, offset, size)
    tail = _Writer().struct(footer)
    return b"".join([*written.parts, tail, len(tail).to_bytes(4, "little"), MAGIC])


def refuse_damaged_pages(content: bytes | memoryview) -> int:
    """Compare every checksum that the file has; how many there were.

    Raises DamagedPageError with the column and the row group of the first page that differs, ValueError for bytes that are no
    Parquet file.
    """
    count = 0
    for number, group in enumerate(_structs(_footer(content), ROW_GROUPS)):
        for chunk in _structs(group, COLUMNS):
            for page in _pages(memoryview(content), _facts(chunk)):
                if CRC in page.header:
                    count += 1
                    if page.header[CRC][1] != page.checksum:
                        raise DamagedPageError(
                            f"column {_name(chunk)!r}, row group {number}: a page has another checksum"
                        )
    return count


@dataclass
class _Written:
    """The file as far as it is written, and where its pages have gone."""

    parts: list[bytes | memoryview]
    place: int
    moved: dict[int, tuple[int, int]] = field(default_factory=dict)
    """New place of the page at an old one, and by how many bytes its header has grown."""

    def add(self, *parts: bytes | memoryview) -> None:
        """Write on."""
        self.parts += parts
        self.place += sum(map(len, parts))


def _write_chunk(written: _Written, content: memoryview, chunk: Struct) -> int:
    """Write the pages of a column chunk with checksums; by how many bytes they have grown."""
    facts, begin, grown = _facts(chunk), written.place, 0
    for page in _pages(content, facts):
        header = _Writer().struct({**page.header, CRC: (I32, page.checksum)})
        larger = len(header) + len(page.body) - page.size
        written.moved[page.start] = written.place, larger
        written.add(header, page.body)
        grown += larger
    for number in (DATA_OFFSET, INDEX_OFFSET, DICTIONARY_OFFSET):
        if facts.get(number, (I64, 0))[1] > 0:
            _set(facts, number, written.moved[facts[number][1]][0])
    if chunk.get(CHUNK_OFFSET, (I64, 0))[1]:
        _set(chunk, CHUNK_OFFSET, begin)
    _add(facts, SIZE, grown)
    _add(facts, UNPACKED_SIZE, grown)
    return grown


def _write_index(written: _Written, content: memoryview, chunk: Struct, offset: int, size: int) -> None:
    """Write a page index of a chunk, the places of the pages as they now are."""
    if offset not in chunk:
        return
    start = chunk[offset][1]
    index: bytes | memoryview = content[start : start + chunk[size][1]]
    if (offset, size) == OFFSET_INDEX:
        fields = _Reader(content, start).struct()
        for location in _structs(fields, LOCATIONS):
            place, larger = written.moved[location[LOCATION_OFFSET][1]]
            _set(location, LOCATION_OFFSET, place)
            _add(location, LOCATION_SIZE, larger)
        index = _Writer().struct(fields)
    _set(chunk, offset, written.place)
    _set(chunk, size, len(index))
    written.add(index)


def _pages(content: memoryview, facts: Struct) -> Iterator[Page]:
    """The pages of one column chunk, the dictionary first. Raises ValueError where they do not fill it."""
    starts = [facts[number][1] for number in (DATA_OFFSET, DICTIONARY_OFFSET) if facts.get(number, (I64, 0))[1] > 0]
    place, end = min(starts), min(starts) + facts[SIZE][1]
    if not 0 <= place <= end <= len(content):
        raise ValueError("a column lies outside of the file")
    while place < end:
        reader = _Reader(content, place)
        header = reader.struct()
        size = header[COMPRESSED_SIZE][1]
        if not 0 <= size <= end - reader.place:
            raise ValueError("a page lies outside of its column")
        yield Page(place, reader.place + size - place, header, content[reader.place : reader.place + size])
        place = reader.place + size


def _footer(content: bytes | memoryview) -> Struct:
    size = int.from_bytes(content[-8:-4], "little")
    if content[:4] != MAGIC or content[-4:] != MAGIC or size + 12 > len(content):
        raise ValueError("no whole Parquet file")
    return _Reader(memoryview(content), len(content) - 8 - size).struct()


def _structs(owner: Struct, number: int) -> list[Struct]:
    kind, found = owner[number]
    if kind != LIST or found[0] != STRUCT:
        raise ValueError("a list of structs is something else")
    return list(found[1])


def _facts(chunk: Struct) -> Struct:
    found: Struct = chunk[CHUNK_FACTS][1]
    return found


def _name(chunk: Struct) -> str:
    return ".".join(part.decode("utf-8", "replace") for part in _facts(chunk)[NAMES][1][1])


def _set(owner: Struct, number: int, value: int) -> None:
    """Change an integer that is there."""
    if number in owner:
        owner[number] = (owner[number][0], value)


def _add(owner: Struct, number: int, more: int) -> None:
    if number in owner:
        _set(owner, number, owner[number][1] + more)


@dataclass
class _Reader:
    """Thrift's compact protocol, from a place on."""

    content: memoryview
    place: int
    depth: int = 0

    def struct(self) -> Struct:
        """Fields by number."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError("structs are nested too deeply")
        fields: Struct = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else _signed(self._varint())
            fields[number] = (head & 15, self._value(head & 15))
        self.depth -= 1
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in (I16, I32, I64):
            return _signed(self._varint())
        if kind == BYTE:
            return self._byte()
        if kind == DOUBLE:
            return self._take(8)
        if kind == BINARY:
            return self._take(self._varint())
        if kind in (LIST, SET):
            return self._list()
        if kind == STRUCT:
            return self.struct()
        raise ValueError(f"Thrift has no type {kind} here")

    def _list(self) -> tuple[int, list[Any]]:
        head = self._byte()
        count, kind = (self._varint() if head >> 4 == 15 else head >> 4), head & 15
        if count > len(self.content):
            raise ValueError("a list is longer than the file")
        return kind, [self._byte() if kind in (TRUE, FALSE) else self._value(kind) for _ in range(count)]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number is longer than 64 bits")

    def _byte(self) -> int:
        if self.place >= len(self.content):
            raise ValueError("the file ends in the middle of a header")
        self.place += 1
        return self.content[self.place - 1]

    def _take(self, count: int) -> bytes:
        if count > len(self.content) - self.place:
            raise ValueError("the file ends in the middle of a header")
        self.place += count
        return bytes(self.content[self.place - count : self.place])


@dataclass
class _Writer:
    """The same protocol, written."""

    parts: bytearray = field(default_factory=bytearray)

    def struct(self, fields: Struct) -> bytes:
        """The bytes of one struct, its fields in ascending order."""
        self._struct(fields)
        return bytes(self.parts)

    def _struct(self, fields: Struct) -> None:
        before = 0
        for number, (kind, value) in sorted(fields.items()):
            head = (TRUE if value else FALSE) if kind in (TRUE, FALSE) else kind
            if 0 < number - before <= 15:
                self.parts.append((number - before) << 4 | head)
            else:
                self.parts.append(head)
                self._varint(_unsigned(number))
            before = number
            if kind not in (TRUE, FALSE):
                self._value(kind, value)
        self.parts.append(0)

    def _value(self, kind: int, value: Any) -> None:
        if kind in (I16, I32, I64):
            self._varint(_unsigned(value))
        elif kind == BYTE:
            self.parts.append(value)
        elif kind == DOUBLE:
            self.parts += value
        elif kind == BINARY:
            self._varint(len(value))
            self.parts += value
        elif kind in (LIST, SET):
            self._list(*value)
        else:
            self._struct(value)

    def _list(self, kind: int, values: list[Any]) -> None:
        self.parts.append((len(values) << 4 if len(values) < 15 else 0xF0) | kind)
        if len(values) >= 15:
            self._varint(len(values))
        for value in values:
            if kind in (TRUE, FALSE):
                self.parts.append(value)
            else:
                self._value(kind, value)

    def _varint(self, value: int) -> None:
        while value >= 128:
            self.parts.append(value & 127 | 128)
            value >>= 7
        self.parts.append(value)


def _signed(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def _unsigned(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1
