import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.errors import ConfigError, DataRefused
from foreseq.language import corpus
from foreseq.language.config import CorpusConfig
from foreseq.language.corpus import Passage, Vocabulary, assemble, learn_vocabulary, split

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=2).filter(
    lambda text: len(set(text)) > 1
)


def read(source, tmp_path, **options):
    config = CorpusConfig(source=str(source), **options)
    return corpus.read(config, corpus.locate(config, tmp_path / "raw"))


def text_of(read):
    return read.vocabulary.decode(read.passage.symbols)


@pytest.fixture
def book(tmp_path):
    file = tmp_path / "book.txt"
    file.write_bytes(b"\xef\xbb\xbfOne\r\ntwo\rthree\n")
    return file


def test_every_newline_becomes_one_character_and_the_byte_order_mark_none(book, tmp_path):
    assert text_of(read(book, tmp_path)) == "One\ntwo\nthree\n"


def test_newlines_can_be_kept(book, tmp_path):
    assert text_of(read(book, tmp_path, newlines="keep")) == "One\r\ntwo\rthree\n"


def test_case_can_be_dropped(book, tmp_path):
    assert text_of(read(book, tmp_path, lowercase=True)) == "one\ntwo\nthree\n"


def test_what_publishers_add_before_and_after_can_be_left_out(tmp_path):
    file = tmp_path / "book.txt"
    file.write_text("Preface\n** START of it **\n\nOnce.\n\n** END of it\nLicence\n")
    trimmed = read(file, tmp_path, starts_after="** START", ends_before="** END")
    assert text_of(trimmed) == "Once.\n"
    assert "Preface" in text_of(read(file, tmp_path, starts_after="** absent"))


def test_each_file_of_a_folder_is_a_document(tmp_path):
    folder = tmp_path / "books"
    (folder / "more").mkdir(parents=True)
    (folder / "b.txt").write_text("bb")
    (folder / "a.txt").write_text("aaa")
    (folder / "more" / "c.txt").write_text("c")
    (folder / "notes.md").write_text("no text")
    whole = read(folder, tmp_path)
    assert text_of(whole) == "aaabbc"
    assert whole.passage.starts.tolist() == [0, 3, 5]


def test_a_local_copy_is_read_where_there_is_one(book, tmp_path):
    away = "https://nowhere.invalid/book.txt"
    assert text_of(read(away, tmp_path, copy_at=str(book))).startswith("One")


def test_without_a_source_there_is_the_text_that_python_carries(tmp_path):
    assert corpus.locate(CorpusConfig(), tmp_path) is None
    whole = corpus.read(CorpusConfig(), None)
    assert whole.passage.length > 300_000
    assert len(whole.passage.starts) > 50
    assert "The" in text_of(whole)


def test_the_stated_digest_is_that_of_the_text_as_read(book, tmp_path):
    digest = hashlib.sha256(b"One\ntwo\nthree\n").hexdigest()
    read(book, tmp_path, sha256=digest)
    with pytest.raises(DataRefused, match=r"book\.txt: the text must have SHA-256 0000.*found"):
        read(book, tmp_path, sha256="0" * 64)


def test_equal_corpora_have_equal_fingerprints():
    one, other, cut = assemble(["abc", "ab"]), assemble(["abc", "ab"]), assemble(["abcab"])
    assert one.fingerprint() == other.fingerprint() != cut.fingerprint()


def test_a_binary_file_is_refused(tmp_path):
    file = tmp_path / "picture.txt"
    file.write_bytes(b"GIF89a\n\0\0\1")
    with pytest.raises(DataRefused, match=r"picture\.txt, row 2: must be text, found a zero byte"):
        read(file, tmp_path)


def test_a_byte_of_another_encoding_is_named_by_its_place(tmp_path):
    file = tmp_path / "latin.txt"
    file.write_bytes("eins\nfünf".encode("latin-1"))
    with pytest.raises(DataRefused, match=r"latin\.txt, row 2: must be text in utf-8, .* 0xfc"):
        read(file, tmp_path)
    assert text_of(read(file, tmp_path, encoding="latin-1")) == "eins\nfünf"


def test_an_encoding_that_nobody_knows_is_refused(book, tmp_path):
    with pytest.raises(ConfigError, match="no encoding 'klingon'"):
        read(book, tmp_path, encoding="klingon")


@pytest.mark.parametrize("make", [lambda f: f.mkdir(), lambda f: f.write_text("")])
def test_a_source_without_text_is_refused(make, tmp_path):
    make(tmp_path / "empty")
    with pytest.raises(DataRefused, match="empty: must hold text"):
        read(tmp_path / "empty", tmp_path)


def test_an_absent_source_is_refused(tmp_path):
    with pytest.raises(DataRefused, match="source must exist"):
        read(tmp_path / "absent.txt", tmp_path)


def test_the_parts_of_a_split_rebuild_the_text(rng):
    symbols = rng.integers(0, 9, 1000).astype(np.int32)
    whole = Passage(symbols, np.array([0, 10, 500, 870, 990]))
    parts = split(whole, 0.1, 0.07)
    assert [part.length for part in parts] == [830, 100, 70]
    placed = (parts.validation, parts.train, parts.test)
    np.testing.assert_array_equal(np.concatenate([part.symbols for part in placed]), symbols)
    at = (0, 100, 930)
    rebuilt = np.concatenate([part.starts + first for part, first in zip(placed, at, strict=True)])
    assert set(rebuilt.tolist()) - {100, 930} == {0, 10, 500, 870, 990}


def test_a_text_too_short_to_divide_is_refused():
    with pytest.raises(DataRefused, match="validation part needs at least two characters"):
        split(Passage(np.arange(8, dtype=np.int32), np.array([0])), 0.05, 0.2)


@given(TEXTS)
def test_decoding_undoes_encoding(text):
    learned = learn_vocabulary(text)
    assert learned.decode(learned.encode(text)) == text


@given(TEXTS)
def test_a_text_uses_every_number_of_its_own_vocabulary(text):
    learned = learn_vocabulary(text)
    assert set(learned.encode(text).tolist()) == set(range(learned.size))


def test_symbols_are_numbered_by_code_point():
    assert learn_vocabulary("héé\n a").symbols == "\n ahé"


def test_characters_beyond_the_basic_plane_are_one_symbol_each():
    learned = learn_vocabulary("a😀b😀")
    assert learned.encode("😀b").tolist() == [2, 1]


def test_an_unknown_character_is_named_with_its_line():
    words = r"s\.txt, row 3: .* found 'é' \(U\+00E9\), the first of 2"
    with pytest.raises(DataRefused, match=words):
        Vocabulary("\nab").encode("a\nb\naéé", file="s.txt")


def test_the_declared_symbol_stands_for_all_unknown_ones():
    learned = learn_vocabulary("abba", unknown="?")
    assert learned.decode(learned.encode("abcdz")) == "ab???"


@pytest.mark.parametrize("text", ["", "a", "aaaa"])
def test_a_text_of_one_symbol_is_refused(text):
    with pytest.raises(DataRefused, match="at least 2 different characters"):
        learn_vocabulary(text)


def test_different_vocabularies_have_different_digests():
    different = [Vocabulary("ab"), Vocabulary("abc"), Vocabulary("abc", "c")]
    assert len({one.digest() for one in different}) == 3
    assert Vocabulary("ab").digest() == different[0].digest()


def test_nothing_encodes_to_nothing():
    assert Vocabulary("ab").encode("").tolist() == []
    assert Vocabulary("ab").decode(np.array([], int)) == ""
