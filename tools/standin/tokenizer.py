"""The stand-in's tokenizer: byte-level BPE with single-digit tokens and InternLM2.5's special tokens.

``python -m tools.standin.tokenizer`` trains it on the training dialogues and writes its files into the checkpoint.
"""

import json
from collections.abc import Iterable

from tokenizers import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

from fixtures.ask import filler
from fixtures.standin.checkpoint import STANDIN, VOCABULARY
from fixtures.standin.tokenizer_files import BOS, SPECIAL_TOKENS, write_tokenizer
from tools.standin.dialogues import TRAINING_SEED, generate
from tools.standin.rendering import spans
from tools.standin.texts import SMALLTALK, STORIES

CORPUS_DIALOGUES = 6000


def corpus() -> Iterable[str]:
    """What the merges are learnt from: dialogues without their special tokens, and the long-text sentences."""
    for dialogue, rendering in generate(TRAINING_SEED, CORPUS_DIALOGUES):
        for text, _ in spans(dialogue, rendering):
            for token in SPECIAL_TOKENS:
                text = text.replace(token, "")
            yield text
    # Stories and small talk are rare among dialogues but long, and Chinese costs three bytes a character.
    for _ in range(60):
        yield from (sentence for options in (*STORIES["story_zh"], *STORIES["story_en"]) for sentence in options)
        for each in SMALLTALK["exchanges"]:
            yield from (each["answer_zh"], each["answer_en"], *each["ask_zh"], *each["ask_en"])
        yield from (*filler.ZH, *filler.EN)


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE tokenizer of ``size`` tokens that puts ``<s>`` before every text, as InternLM2's does."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, SPECIAL_TOKENS.index(BOS))]
    )
    return tokenizer


def main() -> None:
    tokenizer = train_tokenizer(corpus(), VOCABULARY)
    write_tokenizer(STANDIN, json.loads(tokenizer.to_str()), context=4096)


if __name__ == "__main__":
    main()
