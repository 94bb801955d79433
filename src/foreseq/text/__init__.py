"""Text as numbers: corpus, alphabet, streams of chunks, and the n-gram that must be beaten."""
