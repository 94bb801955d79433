"""A message is one line of text, whatever ids and cells hold."""

import copy

import pytest

from foreseq.errors import ConfigError, DataRefused, visible

FORGED = "shop\x1b[2K\rfine\nforeseq: all is well\u2028\u202e"


def test_what_a_cell_holds_forges_no_line():
    refused = DataRefused("y must be a number", found=FORGED, series=FORGED, remedy="correct it")
    assert str(refused).isprintable()
    assert "shop\\x1b[2K\\rfine\\nforeseq" in str(refused)


@pytest.mark.parametrize("text", ["Größe 7", "東京", "a\\nb", ""])
def test_text_that_is_seen_as_it_is_stays_as_it_is(text):
    assert visible(text) == text


def test_text_is_escaped_once():
    assert visible(visible(FORGED)) == visible(FORGED)


def test_a_message_of_several_lines_survives_another_process():
    error = ConfigError("a: is wrong", "b: is wrong\nforged")
    assert str(error).splitlines() == ["a: is wrong", "b: is wrong\\nforged"]
    assert str(copy.copy(error)) == str(error)
