"""Page checksums: those that are written are the ones that Apache Arrow compares, and a flipped bit is found by them."""

from __future__ import annotations

import base64
import contextlib
import io
import struct
import zlib

import numpy as np
import polars as pl
import pytest

from ohlcv_factory.storage.parquet_pages import DamagedPageError, refuse_damaged_pages, with_checksums

OF_ARROW = zlib.decompress(
    base64.b85decode(
        "c-obd&ubG=5XWbe?XoEeNu_Vug+)SXmndm%qN%Y)o0n#rh>a#iP(i_v4N1k?n5b<9q5c7i`Ugl65$Qn$FCyqkJ$UiprS(+sAmYW7"
        "c+>COO{}692R`#1-jA7i@9mcPT!P7LO<{NaZ0r5zH#Nf?MmvaZ`-zeg$zP{JVaf(nQbQ_5z#!0p38G*K3<C?qz-|x+V_+O4KoaZ)"
        "`#=gzfc+p14uDB;5M;n1a2QMhQFk?@%EUtvAvsT`J;{4wdotrmK}d{>SrWEd%re4>n(XO~w;KTyVT376F?F>!-;EG!6#K{MzyN&m"
        "l@H#LlyEj0%va6g{rK$1OnJC;qJH+&!-X@SuAhtDa^~+f*B@W_^0E~aJ8`drOlL11+<A>#mEBwIAC@q)EZhnj+sTI5&38XOE8C4t"
        "P)u6UrDeBlIPH~{!t1X2m~3QHq${0Tv%XMeGO_*<pDtC21%-A-Xx79I%`r?PZjs6QjT9*n1521sbF}BG_N32x<G0lRy8$CE4#0c_"
        "7lCAUDTYN3W<`-;uSmx&vL<PdB<p*h^{nsr<NTEaUG}nQ9|D?VsoI7@hN%bn+}!b#linfqEoqOi2`;R{Jv++z63;dG4Cf6#-EhZp"
        "InGNWnCAS5JFu<X3%$to$Ic^Z8i74yyMt~LoBuKq=B{<u+uhO?o~wxb1<q?czdh+$rQ|Lu{LyMREZCw1nmFAp#YO9`ksfVT+n27?"
        "FOSw*t<h?`y|@&;T5ose7cWMWsj=~~gb~NPil_DAizwr-{R!sqt8M"
    )
)
"""50 rows of a float and a text column, written by pyarrow 25.0.1 with `write_page_checksum=True`."""
FRAMES = {
    "numbers": pl.DataFrame({"a": np.arange(3000.0), "b": np.arange(3000) % 7}),
    "words, times and holes": pl.DataFrame(
        {
            "s": ["x", None, "y"] * 40,
            "t": pl.Series(np.arange(120)).cast(pl.Datetime("ns", "UTC")),
            "z": [True, None, False] * 40,
        }
    ),
    "lists": pl.DataFrame({"l": [[1, 2], [], None, [3]]}),
    "no rows": pl.DataFrame(schema={"a": pl.Float64, "s": pl.String}),
    "no columns": pl.DataFrame(),
}


def written(frame: pl.DataFrame, **how: object) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **how)
    return buffer.getvalue()


@pytest.mark.parametrize("name", FRAMES)
def test_a_table_with_checksums_holds_what_it_held(name: str) -> None:
    frame = FRAMES[name]
    content = with_checksums(written(frame))
    assert pl.read_parquet(io.BytesIO(content)).equals(frame)
    assert (refuse_damaged_pages(content) > 0) == (len(frame) > 0)
    assert refuse_damaged_pages(written(frame)) == 0
    assert with_checksums(content) == content


def test_several_row_groups_and_statistics_are_found_again() -> None:
    content = with_checksums(written(FRAMES["numbers"], row_group_size=500, data_page_size=1024))
    found = pl.scan_parquet(io.BytesIO(content)).filter(pl.col("a") > 2990).collect()
    assert found["a"].to_list() == [float(value) for value in range(2991, 3000)]
    assert refuse_damaged_pages(content) > 12


def test_every_flipped_bit_of_a_page_is_found() -> None:
    content = with_checksums(written(pl.DataFrame({"price": np.arange(40.0)}), compression="uncompressed"))
    start = content.index(struct.pack("<d", 17.0))
    for bit in range(64):
        damaged = bytearray(content)
        damaged[start + bit // 8] ^= 1 << bit % 8
        assert pl.read_parquet(io.BytesIO(bytes(damaged)))["price"][17] != 17.0  # what polars says without a word
        with pytest.raises(DamagedPageError, match="column 'price', row group 0: a page has another checksum"):
            refuse_damaged_pages(bytes(damaged))


def test_checksums_of_other_writers_are_compared_too() -> None:
    assert refuse_damaged_pages(OF_ARROW) == 4
    damaged = bytearray(OF_ARROW)
    damaged[60] ^= 1
    with pytest.raises(DamagedPageError):
        refuse_damaged_pages(bytes(damaged))


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_is_an_error_and_never_a_loop(seed: int) -> None:
    content = bytearray(with_checksums(written(FRAMES["words, times and holes"])))
    draw = np.random.default_rng(seed)
    for place in draw.integers(0, len(content), 4):
        content[place] = int(draw.integers(0, 256))
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError, AttributeError):
        refuse_damaged_pages(bytes(content))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"a,b\n1,2\n", b"PAR1" + b"\xff" * 20 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        with_checksums(content)
