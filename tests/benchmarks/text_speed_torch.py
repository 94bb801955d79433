"""The peer of text_speed.py: characters per second of PyTorch, where an interpreter has it."""

import sys
import time

import torch
from torch.nn.functional import cross_entropy


class Reader(torch.nn.Module):
    """Embedding, recurrent layers, output: what the language model is made of, in PyTorch."""

    def __init__(self, kind, units, layers, symbols, embedding):
        super().__init__()
        recurrent = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind]
        self.embedding = torch.nn.Embedding(symbols, embedding)
        self.recurrent = recurrent(embedding, units, layers, batch_first=True)
        self.following = torch.nn.Linear(units, symbols)

    def forward(self, symbols, state):
        states, last = self.recurrent(self.embedding(symbols), state)
        return self.following(states), last


def main():
    kind = sys.argv[1]
    units, layers, streams, chunk, symbols, embedding = map(int, sys.argv[2:8])
    torch.set_num_threads(int(sys.argv[8]))
    torch.manual_seed(1)
    reader = Reader(kind, units, layers, symbols, embedding)
    optimizer = torch.optim.RMSprop(reader.parameters(), 1e-3)
    text = torch.randint(0, symbols, (streams, chunk + 1))
    shape = (layers, streams, units)
    state = (torch.zeros(shape), torch.zeros(shape)) if kind == "lstm" else torch.zeros(shape)

    def step():
        optimizer.zero_grad()
        logits, _ = reader(text[:, :-1], state)
        loss = cross_entropy(logits.reshape(-1, symbols), text[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    step()
    best, end = float("inf"), time.perf_counter() + float(sys.argv[9])
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
    sys.stdout.write(f"{streams * chunk / best}\n")


if __name__ == "__main__":
    main()
