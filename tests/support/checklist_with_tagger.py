"""Make a tagger that knows one name and one place, and run CheckList with it.

Arguments: folder of the lexicon, file of the tagger.
"""

import sys
from pathlib import Path

import torch

from lib.augmentation.build_bank import MethodConfig, compute_variants
from lib.augmentation.edits import apply_edits
from lib.augmentation.libraries import LexicalResources, local_data

lexicon, file = map(Path, sys.argv[1:])
with local_data(lexicon):  # flair reads its folder when it is imported
    from flair.data import Dictionary
    from flair.embeddings import OneHotEmbeddings
    from flair.models import SequenceTagger

words, tags = Dictionary(), Dictionary(add_unk=False)
for word in ("Boston", "John"):
    words.add_item(word)
for tag in ("O", "S-LOC", "S-PER"):
    tags.add_item(tag)
tagger = SequenceTagger(
    OneHotEmbeddings(words), tags, "ner", use_crf=False, use_rnn=False, reproject_embeddings=False, tag_format="BIOES"
)
with torch.no_grad():
    for parameter in (tagger.embeddings.embedding_layer.weight, tagger.linear.weight, tagger.linear.bias):
        parameter.zero_()
    tagger.linear.bias[0] = 5
    for number in (1, 2):
        tagger.embeddings.embedding_layer.weight[number, number] = 1
        tagger.linear.weight[number, number] = 20
tagger.save(file)
text = "John moved to Boston and stayed"
for variant in compute_variants(
    [text], MethodConfig("checklist", (0.4,), 6, (), LexicalResources(lexicon, ner=file))
):
    print(variant.error, apply_edits(text, variant.edits), sep="|")
