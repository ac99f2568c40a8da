"""A decoder that keeps its own protocol of the cache, as code that checkpoints bring along does.

`tuples`: a tuple of two tensors for each layer, as the code published with InternLM2: it reads the past's length from
the first tensor's shape and joins new keys and values with `torch.cat`. `objects`: it calls `update` of a cache of
transformers, as later code does. `neither`: it takes no cache of ours.
"""

from types import SimpleNamespace

import torch
from torch import nn
from transformers.cache_utils import Cache

LONGEST = 1024
"""Positions."""


class Layer(nn.Module):
    """Attention of two heads and nothing else; `eager` writes it out, `sdpa` is torch's own."""

    def __init__(self, number: int, hidden: int, attention: str) -> None:
        super().__init__()
        self.qkv, self.heads, self.number, self.attention = nn.Linear(hidden, 3 * hidden), 2, number, attention

    def forward(self, states, seen, past):
        """States (rows, tokens, hidden); seen (rows, tokens, columns), True where a row looks; `past` or None."""
        rows, tokens, hidden = states.shape
        query, key, value = (
            part.view(rows, tokens, self.heads, -1).transpose(1, 2) for part in self.qkv(states).chunk(3, dim=-1)
        )
        if isinstance(past, Cache):
            key, value = past.update(key, value, self.number)
        elif past is not None:
            held = past[self.number]
            key, value = torch.cat([held[0], key], dim=2), torch.cat([held[1], value], dim=2)
        if self.attention == "sdpa":
            told = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None])
        else:
            scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5
            told = scores.masked_fill(~seen[:, None], -1e9).softmax(-1) @ value
        return states + told.transpose(1, 2).reshape(rows, tokens, hidden)


class OwnModel(nn.Module):
    """`base_model` is the model itself; called, it tells logits."""

    def __init__(self, vocabulary: int, protocol: str, attention: str, hidden: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.protocol = protocol
        self.embed, self.places = nn.Embedding(vocabulary, hidden), nn.Embedding(LONGEST, hidden)
        self.layers = nn.ModuleList(Layer(number, hidden, attention) for number in range(layers))
        self.head = nn.Linear(hidden, vocabulary)

    @property
    def base_model(self):
        """Its layers without the head."""
        return self.hidden

    def get_output_embeddings(self):
        """The head."""
        return self.head

    def before(self, past) -> int:
        """Count the tokens of the past."""
        if past is None:
            return 0
        if self.protocol == "neither" or (self.protocol == "objects" and not isinstance(past, Cache)):
            raise TypeError("no cache of yours")
        return past.get_seq_length() if self.protocol == "objects" else past[0][0].shape[2]

    def hidden(self, input_ids, past_key_values=None, attention_mask=None, position_ids=None, use_cache=None):  # noqa: ARG002
        """As models of transformers are called."""
        rows, tokens = input_ids.shape
        before = self.before(past_key_values)
        if position_ids is None:
            position_ids = torch.arange(before, before + tokens).expand(rows, -1)
        columns = torch.arange(before + tokens)
        seen = columns[None] <= torch.arange(before, before + tokens)[:, None]
        if attention_mask is not None:
            seen = seen & attention_mask.bool()[:, None]
        states = self.embed(input_ids) + self.places(position_ids)
        for layer in self.layers:
            states = layer(states, seen.expand(rows, tokens, -1), past_key_values)
        return SimpleNamespace(last_hidden_state=states)

    def forward(self, input_ids):
        """Logits, without a cache."""
        return SimpleNamespace(logits=self.head(self.hidden(input_ids).last_hidden_state))
