"""Write this example's corpus of 40 posts from templates, which no person wrote."""

import csv
import json
import random
import sys
from pathlib import Path

POSTS = 40
CRITERIA = {
    "PAIN": "The writer is in pain.",
    "POOR_SLEEP": "The writer sleeps badly.",
    "LOW_ENERGY": "The writer has little energy.",
}
# Sentences that show a criterion, and sentences on its subject that do not.
SHOWING = {
    "PAIN": ["My {part} hurts {when}.", "The pain in my {part} is back {when}."],
    "POOR_SLEEP": ["I lie awake {when}.", "I wake up at three {when}."],
    "LOW_ENERGY": ["I am worn out {when}.", "The stairs are too much for me {when}."],
}
OTHER = {
    "PAIN": ["My {part} is fine {when}.", "My brother's {part} hurts {when}."],
    "POOR_SLEEP": ["I sleep well {when}.", "My daughter lies awake {when}."],
    "LOW_ENERGY": ["I have enough energy {when}.", "My neighbour is worn out {when}."],
}
FILLER = ["The bus was {late}.", "We had {food} for lunch.", "It rained all day.", "I watered the plants."]
WORDS = {
    "part": ["knee", "back", "shoulder", "hand"],
    "when": ["today", "again", "this week", "since Monday", "at the moment"],
    "late": ["late", "full", "on time"],
    "food": ["soup", "rice", "bread"],
}


def fill(template: str, rng: random.Random) -> str:
    """Return a template with a word in each of its places.

    Args:
        template: The template.
        rng: Chooses the words.

    Returns:
        The text.
    """
    return template.format(**{name: rng.choice(words) for name, words in WORDS.items()})


def write_corpus(folder: Path) -> None:
    """Write posts.csv, annotations.csv and criteria.json, the same on every call."""
    rng = random.Random(11)
    posts, annotations = [], []
    for number in range(POSTS):
        post_id = f"post-{number:02d}"
        annotated = [
            (fill(rng.choice((SHOWING if status else OTHER)[name]), rng), name, status)
            for name in rng.sample(sorted(CRITERIA), 2)
            for status in [rng.randrange(2)]
        ]
        sentences = [*annotated, *((fill(rng.choice(FILLER), rng), None, None) for _ in range(3))]
        rng.shuffle(sentences)
        posts.append([post_id, " ".join(text for text, _, _ in sentences)])
        annotations += [
            [post_id, f"{post_id}-{place}", text, name, status]
            for place, (text, name, status) in enumerate(sentences)
            if name is not None
        ]
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "posts.csv", ["post_id", "text"], posts)
    head = ["post_id", "sentence_id", "sentence_text", "criterion", "status"]
    write_csv(folder / "annotations.csv", head, annotations)
    criteria = [{"id": name, "text": text} for name, text in CRITERIA.items()]
    (folder / "criteria.json").write_text(json.dumps(criteria, indent=1) + "\n", encoding="utf-8")


def write_csv(path: Path, head: list[str], rows: list[list[object]]) -> None:
    """Write a table with its head.

    Args:
        path: File to write.
        head: Names of the columns.
        rows: The rows.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "corpus")
