"""A decoder that keeps its cache as the code published with InternLM2 does: a tuple of two tensors for each layer.

It reads the past's length from the first tensor's shape and joins new keys and values with `torch.cat`.
"""

from types import SimpleNamespace

import torch
from torch import nn

LONGEST = 1024
"""Positions."""


class Layer(nn.Module):
    """Attention of two heads and nothing else."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.qkv, self.heads = nn.Linear(hidden, 3 * hidden), 2

    def forward(self, states, mask, past):
        """States (rows, tokens, hidden); a mask (rows, tokens, columns) to add; `past` (keys, values) or None."""
        rows, tokens, hidden = states.shape
        query, key, value = (
            part.view(rows, tokens, self.heads, -1).transpose(1, 2) for part in self.qkv(states).chunk(3, dim=-1)
        )
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        scores = query @ key.transpose(2, 3) / key.shape[-1] ** 0.5 + mask[:, None]
        return states + (scores.softmax(-1) @ value).transpose(1, 2).reshape(rows, tokens, hidden)


class OlderModel(nn.Module):
    """`base_model` is the model itself; called, it tells logits."""

    def __init__(self, vocabulary: int, hidden: int = 64, layers: int = 2) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(vocabulary, hidden), nn.Embedding(LONGEST, hidden)
        self.layers = nn.ModuleList(Layer(hidden) for _ in range(layers))
        self.head = nn.Linear(hidden, vocabulary)

    @property
    def base_model(self):
        """Its layers without the head."""
        return self.hidden

    def get_output_embeddings(self):
        """The head."""
        return self.head

    def hidden(self, input_ids, past_key_values=None, attention_mask=None, position_ids=None, use_cache=None):  # noqa: ARG002
        """As models of transformers are called."""
        rows, tokens = input_ids.shape
        before = past_key_values[0][0].shape[2] if past_key_values is not None else 0
        if position_ids is None:
            position_ids = torch.arange(before, before + tokens).expand(rows, -1)
        columns = torch.arange(before + tokens)
        seen = columns[None] <= torch.arange(before, before + tokens)[:, None]
        if attention_mask is not None:
            seen = seen & attention_mask.bool()[:, None]
        mask = torch.zeros(rows, tokens, before + tokens).masked_fill(~seen.expand(rows, -1, -1), -1e9)
        states = self.embed(input_ids) + self.places(position_ids)
        for number, layer in enumerate(self.layers):
            states = layer(states, mask, past_key_values[number] if past_key_values is not None else None)
        return SimpleNamespace(last_hidden_state=states)

    def forward(self, input_ids):
        """Logits, without a cache."""
        return SimpleNamespace(logits=self.head(self.hidden(input_ids).last_hidden_state))
