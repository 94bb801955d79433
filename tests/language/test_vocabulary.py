import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.errors import DataRefused
from foreseq.language import vocabulary
from foreseq.language.vocabulary import Vocabulary

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=2).filter(
    lambda text: len(set(text)) > 1
)


@given(TEXTS)
def test_decoding_undoes_encoding(text):
    learned = vocabulary.learn(text)
    assert learned.decode(learned.encode(text)) == text


@given(TEXTS)
def test_a_text_uses_every_number_of_its_own_vocabulary(text):
    learned = vocabulary.learn(text)
    assert set(learned.encode(text).tolist()) == set(range(learned.size))


def test_symbols_are_numbered_by_code_point():
    assert vocabulary.learn("héé\n a").symbols == "\n ahé"


def test_characters_beyond_the_basic_plane_are_one_symbol_each():
    learned = vocabulary.learn("a😀b😀")
    assert learned.encode("😀b").tolist() == [2, 1]


def test_an_unknown_character_is_named_with_its_line():
    words = r"s\.txt, row 3: .* found 'é' \(U\+00E9\), the first of 2"
    with pytest.raises(DataRefused, match=words):
        Vocabulary("\nab").encode("a\nb\naéé", file="s.txt")


def test_the_declared_symbol_stands_for_all_unknown_ones():
    learned = vocabulary.learn("abba", unknown="?")
    assert learned.decode(learned.encode("abcdz")) == "ab???"


@pytest.mark.parametrize("text", ["", "a", "aaaa"])
def test_a_text_of_one_symbol_is_refused(text):
    with pytest.raises(DataRefused, match="at least 2 different characters"):
        vocabulary.learn(text)


def test_vocabularies_are_told_apart_by_their_digests():
    ones = [Vocabulary("ab"), Vocabulary("abc"), Vocabulary("abc", "c")]
    assert len({one.digest() for one in ones}) == 3
    assert Vocabulary("ab").digest() == ones[0].digest()


def test_nothing_encodes_to_nothing():
    assert Vocabulary("ab").encode("").tolist() == []
    assert Vocabulary("ab").decode(np.array([], int)) == ""
