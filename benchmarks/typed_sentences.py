"""Ask the final criteria model of a run about sentences that a person typed, and list its wrong answers.

No sentence is in the generated corpus. A sentence without a symptom is right if the model predicts yes for no
criterion. A sentence with a symptom is right if the model predicts yes for its criterion and for no other.
"""

import argparse
from pathlib import Path

from lib.devices.device import choose_device
from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel
from lib.settings.config import TrainingSettings

WITHOUT = (
    "Nice day.",
    "I sleep very well these days.",
    "I am happy and full of energy.",
    "I don't want to die.",
    "I feel great, no thoughts of suicide.",
    "I could kill for a pizza.",
    "I got eight hours of sleep last night.",
    "I am not tired at all.",
    "The movie was so boring I fell asleep.",
    "My sister cannot sleep.",
    "My brother wants to die.",
    "What is the capital of France?",
    "I went to the market and bought apples.",
    "My bike has a flat tyre.",
    "The train was late again.",
    "I love my job.",
    "We had dinner with friends and laughed a lot.",
    "He never eats breakfast.",
    "Thanks for the help!",
    "I used to be depressed, but I am fine now.",
    "My concentration is excellent.",
    "I eat three meals a day.",
    "I finished the report today.",
    "Can anyone recommend a good book?",
)
WITH = {
    "I have not slept for weeks.": "SLEEP_ISSUES",
    "I slept badly.": "SLEEP_ISSUES",
    "I lie awake every night.": "SLEEP_ISSUES",
    "I want to die.": "SUICIDAL_THOUGHTS",
    "I think about killing myself.": "SUICIDAL_THOUGHTS",
    "I feel sad and hopeless.": "DEPRESSED_MOOD",
    "I cry every day.": "DEPRESSED_MOOD",
    "I am worthless.": "WORTHLESSNESS",
    "I feel guilty all the time.": "WORTHLESSNESS",
    "I am so exhausted.": "FATIGUE",
    "I have no energy at all.": "FATIGUE",
    "I am always tired.": "FATIGUE",
    "I can't concentrate at work anymore.": "COGNITIVE_ISSUES",
    "I can't focus on anything.": "COGNITIVE_ISSUES",
    "I have no appetite and lost ten kilos.": "APPETITE_CHANGE",
    "I eat too much lately.": "APPETITE_CHANGE",
    "Nothing makes me happy any more.": "ANHEDONIA",
    "I lost interest in all my hobbies.": "ANHEDONIA",
    "I keep pacing around the room.": "PSYCHOMOTOR",
    "I cannot sit still.": "PSYCHOMOTOR",
}


def main() -> None:
    """Print the wrong answers, and how many are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("results/criteria/model"), help="folder of the model")
    options = parser.parse_args()
    model = SavedModel.load(options.model, choose_device(TrainingSettings(device="auto")))
    found = predict_posts(model, [(text, text) for text in (*WITHOUT, *WITH)], list(model.manifest.criteria))
    right = {True: 0, False: 0}
    for text in (*WITHOUT, *WITH):
        expected = {WITH[text]} if text in WITH else set()
        said = found[(found["post_id"] == text) & found["post_met"]]
        if set(said["criterion"]) == expected:
            right[bool(expected)] += 1
            continue
        yes = [f"{name} {p:.2f}" for name, p in zip(said["criterion"], said["post_probability"], strict=True)]
        print(f"{text}  expected {next(iter(expected), 'nothing')}, found {', '.join(yes) or 'nothing'}")
    print(f"without a symptom {right[False]} of {len(WITHOUT)} right, with one {right[True]} of {len(WITH)}")


if __name__ == "__main__":
    main()
