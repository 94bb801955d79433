"""Language models: the recurrent stack of the forecasts, predicting the next character.

In: the config of a text experiment, and text from a file, a folder or a URL. Out: a bundle of
network and vocabulary, its score, an n-gram's score on the same text, and text written by it.
"""
