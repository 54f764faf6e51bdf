"""Commands for configuration, corpus, backbones and augmented texts."""

from lib.cli.data.augment import COMMAND as AUGMENT
from lib.cli.data.augmentation_bank import COMMAND as AUGMENTATION_BANK
from lib.cli.data.backbone import COMMAND as BACKBONE
from lib.cli.data.corpus import COMMAND as CORPUS
from lib.cli.data.generate_corpus import COMMAND as GENERATE_CORPUS
from lib.cli.data.lexicon import COMMAND as LEXICON
from lib.cli.data.schema import COMMAND as SCHEMA
from lib.cli.data.settings import COMMAND as SETTINGS
from lib.cli.data.tfidf import COMMAND as TFIDF

COMMANDS = (
    SETTINGS,
    SCHEMA,
    GENERATE_CORPUS,
    CORPUS,
    TFIDF,
    BACKBONE,
    LEXICON,
    AUGMENTATION_BANK,
    AUGMENT,
)
