"""Positions: conversions round-trip for any text, in every unit."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft_indexer.text import Lines, Unit, decode, encode

TEXTS = st.text(alphabet=st.sampled_from("ab é😀\u2028\t\n\r"), max_size=60)


@given(TEXTS, st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.data())
def test_positions_round_trip(text: str, unit: Unit, data: st.DataObject) -> None:
    lines = Lines.of(text)
    offset = len(text[: data.draw(st.integers(0, len(text)))].encode())
    line, column = lines.position(offset, unit)
    back = lines.offset(line, column, unit)
    # Between CR and LF there is no position of its own: the end of the line stands for it.
    assert back == offset or (lines.data[back:offset] == b"\r" and lines.data[offset : offset + 1] == b"\n")


@given(TEXTS)
def test_utf16_columns_count_code_units(text: str) -> None:
    lines = Lines.of(text)
    for line in range(len(lines)):
        end = lines.end_of(line)
        expected = len(lines.data[lines.starts[line] : end].decode().encode("utf-16-le")) // 2
        assert lines.position(end, "utf-16") == (line, expected)


def test_a_column_past_the_end_is_the_end() -> None:
    assert Lines.of("ab\r\ncd").offset(0, 99, "utf-16") == 2


@pytest.mark.parametrize(("line", "column"), [(2, 0), (-1, 0), (0, -1)])
def test_a_line_that_is_not_there_is_an_error(line: int, column: int) -> None:
    with pytest.raises(ValueError, match="outside the text"):
        Lines.of("a\nb").offset(line, column, "utf-8")


@given(st.binary(max_size=80))
def test_any_bytes_decode_and_plain_ones_come_back(data: bytes) -> None:
    decoded = decode(data)
    if decoded.encoding == "utf-8" and not decoded.bom:
        assert encode(decoded.text) == data


def test_declared_encodings() -> None:
    assert decode("# coding: latin-1\nx = 'é'".encode("latin-1")).text.endswith("'é'")
    assert decode(codecs.BOM_UTF8 + b"x").bom
    assert not decode(b"\xff\xfe\xfd# coding: nonsense").editable
