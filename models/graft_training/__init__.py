"""Corpus, tokenizer, data, training, export and evaluation of the embedded model. Not part of the wheel."""
