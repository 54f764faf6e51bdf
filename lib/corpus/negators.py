"""Find the words that negate, since a text that lost one says the opposite."""

import re

# Apostrophes in n't: typewriter, typographic, grave and acute accent, modifier letter, full width, prime, and the
# key beside the apostrophe's.
_APOSTROPHES = "'’‘`´ʼ＇′;"
_WORDS = (
    "no not never none nobody noone nothing nowhere neither nor nope without w/o cannot hardly barely scarcely rarely"
    " seldom donot w/out dunno nah unable nvr nver nothin nuthin zero"
    " lack lacks lacked lacking deny denies denied denying absence"
)
# Verbs before n't; the text may lack the apostrophe, or have a space on either side of it or before the n.
_VERBS = (
    "ai are ca could dare did does do had has have hav is might must need ought sha should was were wo would"
    " d dos dose doese"
)
_NEGATOR = re.compile(
    rf"(?<!\w)(?:no[\s-]+one|{'|'.join(_WORDS.split())}|\w+(?:n[{_APOSTROPHES}]|[{_APOSTROPHES}]n)t"
    rf"|(?:{'|'.join(_VERBS.split())})\s?n\s?[{_APOSTROPHES}]?\s?t)(?!\w)",
    re.IGNORECASE,
)


def negators(text: str) -> list[tuple[int, int]]:
    """Return the characters [start, end) of the negators of a text: words such as 'never', and forms in n't."""
    return [match.span() for match in _NEGATOR.finditer(text)]
