"""Words into d numbers a text: padded word numbers, and a recurrent encoder (code of Thomas and Kovashka, 2020)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from xmlib.errors import InputError

PADDING, START, END = 0, 1, 2  # word numbers with a meaning of their own
WORDS_FROM = 3
HIDDEN = 512  # released
D = 256  # released


@dataclass(frozen=True)
class Vocabulary:
    """The numbers of words: those of `words` from 3 on, in order; 0 pads, 1 starts a text and 2 ends it."""

    words: tuple[str, ...]

    def __len__(self) -> int:
        return WORDS_FROM + len(self.words)

    def tokens(self, documents: Sequence[list[str]], length: int = 0) -> np.ndarray:
        """Word numbers of texts given as words, (n, L) int64: start, the known words, end, padding.

        `length`: L; longer texts lose their last words. 0: the longest text decides. Words outside the
        vocabulary are dropped, as released. Raises `InputError` for a length with no room for a word.
        """
        if length and length < 3:
            raise InputError(f"length = {length} leaves no room for a word between start and end: choose 3 or more.")
        number = {word: i for i, word in enumerate(self.words, WORDS_FROM)}
        known = [[number[word] for word in document if word in number] for document in documents]
        length = length or max(map(len, known), default=0) + 2
        tokens = np.full((len(known), length), PADDING, dtype=np.int64)
        for row, text in zip(tokens, known, strict=True):
            text = [START, *text[: length - 2], END]
            row[: len(text)] = text
        return tokens


class WordEncoder(nn.Module):
    """Word vectors, a GRU over them and a linear map of its last state: (n, L) word numbers in, (n, d) out.

    `vectors`: first values of the word vectors, (words, size), such as Doc2Vec's, in the order of the vocabulary; they
    are trained on. Those of start and end are drawn with the same spread; padding is never looked at.
    """

    def __init__(self, vectors: Tensor | np.ndarray, d: int = D, hidden: int = HIDDEN):
        super().__init__()
        known = torch.as_tensor(vectors, dtype=torch.float32)
        self.embedding = nn.Embedding(WORDS_FROM + len(known), known.shape[1], padding_idx=PADDING)
        with torch.no_grad():
            self.embedding.weight[START:WORDS_FROM] *= known.std(correction=0)  # drawn from N(0, 1) by PyTorch
            self.embedding.weight[WORDS_FROM:] = known
        self.gru = nn.GRU(known.shape[1], hidden, batch_first=True)
        self.projection = init_projection(nn.Linear(hidden, d))

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != PADDING).sum(1).cpu()  # packing wants them there
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        last = self.gru(packed)[1][0]  # (n, hidden), after each text's own end
        return self.projection(last)


def init_projection(linear: nn.Linear) -> nn.Linear:
    """The same layer, its weights drawn by Xavier's rule, its biases 0.1: as released, on the two projections alone."""
    nn.init.xavier_uniform_(linear.weight)
    nn.init.constant_(linear.bias, 0.1)
    return linear
