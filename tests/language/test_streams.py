import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foreseq.errors import DataRefused
from foreseq.language.corpus import Passage, assemble
from foreseq.language.streams import Streams


def passage(*lengths):
    """Return documents of these lengths whose symbols are their own positions."""
    return Passage(np.arange(sum(lengths), dtype=np.int32), np.cumsum([0, *lengths[:-1]]))


def read(streams):
    return [streams.chunk(step) for step in range(streams.steps)]


def test_steep_is_read_as_stee_with_targets_teep():
    word = assemble(["steep"])
    chunk = Streams(word.passage, chunk=4, streams=1).chunk(0)
    assert word.vocabulary.decode(chunk.symbols[0]) == "stee"
    assert word.vocabulary.decode(chunk.following[0]) == "teep"


LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 6), st.integers(0, 8), st.integers(0, 2))
def test_every_pair_of_neighbours_in_a_document_is_learned_from_once(
    lengths, chunk, streams, shift, before
):
    text = passage(*lengths)
    if text.length <= chunk:
        return
    pairs = []
    for part in read(
        Streams(text, chunk=chunk, streams=streams, shift=shift % chunk, before=before)
    ):
        real = part.weight > 0
        pairs += zip(part.symbols[real].tolist(), part.following[real].tolist(), strict=True)
    inside = sorted(set(range(text.length)) - {start - 1 for start in text.starts.tolist()})
    assert sorted(pairs) == [(at, at + 1) for at in inside if at + 1 < text.length]


@given(LENGTHS, st.integers(1, 9), st.integers(1, 6), st.integers(0, 8))
def test_a_stream_goes_on_where_it_was_or_begins_afresh(lengths, chunk, streams, shift):
    text = passage(*lengths)
    if text.length <= chunk:
        return
    parts = read(Streams(text, chunk=chunk, streams=streams, shift=shift % chunk))
    for stream in range(streams):
        last = None
        for part in parts:
            real = part.weight[stream] > 0
            if not real.any():
                continue
            first = part.symbols[stream, 0]
            assert part.fresh[stream, 0] or first == last
            assert bool(part.fresh[stream, 0]) == (first in text.starts or last is None)
            last = part.following[stream][real][-1]


def test_the_last_target_is_real_and_not_the_text_begun_again():
    last = read(Streams(passage(11), chunk=4, streams=1))[-1]
    assert last.following[0].tolist()[:2] == [9, 10]
    assert last.weight[0].tolist() == [1, 1, 0, 0]


def test_streams_share_the_text_evenly():
    parts = read(Streams(passage(25), chunk=4, streams=3))
    assert [part.symbols[:, 0].tolist() for part in parts] == [[0, 8, 16], [4, 12, 20]]


def test_chunks_read_before_weigh_nothing_and_lead_to_where_a_stream_begins():
    parts = read(Streams(passage(25), chunk=4, streams=3, before=1))
    assert parts[0].weight.sum() == 0
    assert parts[0].following[1:, -1].tolist() == parts[1].symbols[1:, 0].tolist()
    assert parts[0].fresh[:, 0].tolist() == [1, 1, 1]
    assert parts[1].fresh[:, 0].tolist() == [1, 0, 0]


def test_shifted_epochs_cut_the_text_elsewhere():
    whole = Streams(passage(20), chunk=5, streams=1)
    moved = Streams(passage(20), chunk=5, streams=1, shift=2)
    assert [part.symbols[0, 0] for part in read(whole)] == [0, 5, 10, 15]
    assert [part.symbols[0, 0] for part in read(moved)] == [0, 3, 8, 13, 18]


def test_a_text_shorter_than_a_chunk_is_refused():
    with pytest.raises(DataRefused, match="more than one chunk of 8 characters, found 8"):
        Streams(passage(8), chunk=8, streams=1)
