import shutil
from pathlib import Path

import pytest

from lib.corpus.reader import Corpus, criteria_path, read_corpus, read_criteria, sample_posts
from lib.errors import UserError
from lib.settings.config import CorpusSettings

POSTS = 'post_id,text\np1,"I can\'t sleep. I eat well."\np2,All is fine.\n'
HEAD = "post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation\n"
ROW = "p1,p1_1,I can't sleep.,SLEEP_ISSUES,1,because\n"
ROW2 = "p2,y,All is fine.,FATIGUE,0,\n"


def write(folder: Path, annotations: str = HEAD + ROW, posts: str = POSTS) -> Path:
    (folder / "posts.csv").write_text(posts, encoding="utf-8")
    (folder / "annotations.csv").write_text(annotations, encoding="utf-8")
    return folder


def refused(folder: Path, settings: CorpusSettings | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        read_corpus(settings or CorpusSettings(), folder)
    return caught.value.lines


def test_a_correct_corpus_is_read_with_spans(project: Path) -> None:
    corpus = read_corpus(CorpusSettings(), write(project))
    row = corpus.annotations.iloc[0]
    assert (row["start"], row["end"], row["match"], row["status"], row["row"]) == (0, 14, "exact", 1, 2)
    assert len(corpus.criteria) == 10 and not corpus.oddities


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("p9,x,I can't sleep.,SLEEP_ISSUES,1,\n", "row 3: post_id 'p9' is not in the posts"),
        ("p1,x,I can't sleep.,SLEEP_ISSUE,1,\n", "row 3: criterion 'SLEEP_ISSUE' is not among the criteria; did you"),
        ("p1,x,I can't sleep.,SLEEP_ISSUES,yes,\n", "row 3: status is 'yes'; expected 0 or 1"),
        ("p1,x, ,SLEEP_ISSUES,1,\n", "row 3: sentence_text is empty"),
        (
            "p1,p1_1,I can't sleep.,SLEEP_ISSUES,0,\n",
            "row 3: status 0 contradicts status 1 in row 2; 'contradiction' in corpus.tolerate lets the",
        ),
        ("p1,x,I can't, sleep.,SLEEP_ISSUES,1,\n", "row 3: has 7 fields, the header has 6"),
        ('p1,x,"I can\'t" sleep.,SLEEP_ISSUES,1,\n', "line 3: not valid CSV"),
    ],
)
def test_a_wrong_row_is_refused_by_file_and_row(project: Path, line: str, expected: str) -> None:
    found = refused(write(project, HEAD + ROW + line))
    assert len(found) == 1
    assert found[0].startswith(f"{project / 'annotations.csv'}, ") and expected in found[0]


def test_all_problems_are_reported_at_once(project: Path) -> None:
    found = refused(write(project, HEAD + "p9,x,a,SLEEP_ISSUES,1,\np1,x,a,SLEEP_ISSUES,2,\n"))
    assert [line.split(", ")[1].split(":")[0] for line in found] == ["row 2", "row 3"]


@pytest.mark.parametrize(
    ("posts", "expected"),
    [
        ("post_id,txt\np1,a\n", "column 'text' is missing; did you mean 'txt'?"),
        ("", "is empty; expected the columns post_id, text"),
        ("post_id,text,text\np1,a,b\n", "the header names column 'text' twice; rename one"),
        (POSTS + "p1,again\n", "row 4: post_id 'p1' is already in an earlier row"),
        (POSTS + "p3, \n", "row 4: the text of post 'p3' is empty"),
        (POSTS + " ,text\n", "row 4: post_id is empty"),
    ],
)
def test_wrong_posts_are_refused(project: Path, posts: str, expected: str) -> None:
    assert any(expected in line for line in refused(write(project, posts=posts)))


def test_bad_encoding_and_missing_files_are_named(project: Path) -> None:
    write(project)
    (project / "posts.csv").write_bytes(POSTS.encode() + b"p3,caf\xe9\n")
    assert "posts.csv, line 4: byte 0xe9 is not UTF-8" in refused(project)[0]
    (project / "posts.csv").unlink()
    assert "posts.csv: no such file; corpus.dir must hold" in refused(project)[0]
    assert "holds no annotation" in refused(write(project, HEAD))[0]


def test_oddities_are_counted(project: Path) -> None:
    rows = ROW + ROW + "p1,p1_2,i EAT  well.,FATIGUE,0,\np1,p1_3,Not there.,FATIGUE,0,\n"
    corpus = read_corpus(CorpusSettings(), write(project, HEAD + rows, POSTS + "p3,All is fine.\n"))
    assert {kind: len(places) for kind, places in corpus.oddities.items()} == {
        "dropped: duplicate row": 1,
        "sentence found only ignoring case, white space and Unicode form": 1,
        "sentence not found in its post (kept without a span)": 1,
        "near-duplicate of another post (kept in the same part)": 2,
    }
    assert corpus.annotations["match"].tolist() == ["exact", "normalised", "none"]
    assert corpus.annotations["start"].tolist() == [0, 15, -1]


def test_tolerated_problems_drop_rows_and_are_counted(project: Path) -> None:
    corpus = read_corpus(
        CorpusSettings(tolerate=("unknown_post",)), write(project, HEAD + ROW + "p9,x,a,FATIGUE,1,\n")
    )
    assert corpus.annotations["post_id"].tolist() == ["p1"]
    assert set(corpus.oddities) == {"dropped: unknown post"}


@pytest.mark.parametrize(("statuses", "kept"), [("10", []), ("101", [1]), ("100", [0]), ("11", [1])])
def test_of_contradicting_rows_the_majority_counts_if_tolerated(
    project: Path, statuses: str, kept: list[int]
) -> None:
    rows = "".join(ROW.replace(",1,", f",{status},") for status in statuses)
    corpus = read_corpus(CorpusSettings(tolerate=("contradiction",)), write(project, HEAD + ROW2 + rows))
    assert corpus.annotations["status"].tolist() == [0, *kept]
    assert sum(map(len, corpus.oddities.values())) == len(statuses) - 1


def test_a_tie_among_contradicting_rows_is_unknown(project: Path) -> None:
    rows = ROW2 + ROW + ROW.replace(",1,", ",0,")
    corpus = read_corpus(CorpusSettings(tolerate=("contradiction",)), write(project, HEAD + rows))
    assert corpus.unknown[["row", "post_id", "criterion", "status", "start", "end"]].to_numpy().tolist() == [
        [3, "p1", "SLEEP_ISSUES", -1, 0, 14]
    ]
    assert corpus.oddities == {
        "contradicting row (without a majority, neither positive nor negative)": [
            f"{project / 'annotations.csv'}, row 4: status 0 contradicts status 1 in row 3"
        ]
    }
    without = Corpus(corpus.posts, corpus.annotations, corpus.criteria)
    assert without.hash() != corpus.hash() and len(sample_posts(corpus, 0.5, 0).unknown) <= 1


def test_a_sentence_with_two_ids_is_one_sentence(project: Path) -> None:
    """The sentence stands once in its post, so both ids mean the same place; the last row was not found at all."""
    again = (
        "p1,p1_7,i can't  SLEEP.,SLEEP_ISSUES,{},\n"
        + "p1,p1_8,Not There.,FATIGUE,0,\np1,p1_9,not there.,FATIGUE,0,\n"
    )
    found = refused(write(project, HEAD + ROW + again.format(0)))
    assert len(found) == 1 and "row 3: status 0 contradicts status 1 in row 2" in found[0]
    corpus = read_corpus(CorpusSettings(), write(project, HEAD + ROW + again.format(1)))
    assert corpus.annotations["row"].tolist() == [2, 4] and len(corpus.oddities["dropped: duplicate row"]) == 2


def test_rows_that_differ_by_a_full_stop_are_one_sentence(project: Path) -> None:
    found = refused(write(project, HEAD + ROW + "p1,p1_1,I can't sleep,SLEEP_ISSUES,0,\n"))
    assert len(found) == 1 and "row 3: status 0 contradicts status 1 in row 2" in found[0]
    shorter = HEAD + ROW + 'p1,p1_1,"I can\'t sleep",SLEEP_ISSUES,1,\n' + "p1,p1_1,I can't,SLEEP_ISSUES,0,\n"
    corpus = read_corpus(CorpusSettings(), write(project, shorter))
    assert corpus.annotations["row"].tolist() == [2, 4], "without a word it is another sentence"
    assert {kind: len(rows) for kind, rows in corpus.oddities.items()} == {
        "dropped: duplicate row": 1,
        "sentence_id with another text than before (kept)": 1,
    }


def test_an_id_with_two_texts_means_two_sentences(project: Path) -> None:
    other = "p1,p1_1,I eat well.,SLEEP_ISSUES,0,\n"
    corpus = read_corpus(CorpusSettings(), write(project, HEAD + ROW + other))
    assert corpus.annotations[["row", "status", "start"]].to_numpy().tolist() == [[2, 1, 0], [3, 0, 15]]
    assert corpus.oddities == {
        "sentence_id with another text than before (kept)": [
            f"{project / 'annotations.csv'}, row 3: sentence 'p1_1', see row 2"
        ]
    }


def test_an_edited_sentence_is_found_by_fuzzy_search(project: Path) -> None:
    post = "It began in May. I have not been sleeping for more than three weeks now. Work is fine."
    row = "p1,a,I have not slept for more than three weeks now.,SLEEP_ISSUES,1,\n"
    write(project, HEAD + row, f"post_id,text\np1,{post}\n")
    found = read_corpus(CorpusSettings(), project).annotations.iloc[0]
    assert post[found["start"] : found["end"]] == "I have not been sleeping for more than three weeks now."
    assert found["match"] == "fuzzy" and 0.85 < found["score"] < 1
    assert read_corpus(CorpusSettings(least_match=0.95), project).annotations["match"].tolist() == ["none"]


@pytest.mark.parametrize("names", [("redsm5_posts.csv", "redsm5_annotations.csv"), ("a.csv", "b.csv")])
def test_files_are_found_by_their_names(project: Path, names: tuple[str, str]) -> None:
    write(project)
    for old, new in zip(("posts.csv", "annotations.csv"), names, strict=True):
        (project / old).rename(project / new)
    own = CorpusSettings.model_validate({"files": {"posts": names[0], "annotations": names[1]}})
    assert len(read_corpus(own, project).annotations) == 1
    if names[0] == "redsm5_posts.csv":
        assert len(read_corpus(CorpusSettings(), project).annotations) == 1
    else:
        assert "posts.csv: no such file; corpus.dir must hold" in refused(project)[0]


def test_each_file_may_have_its_own_kind_of_name(project: Path) -> None:
    write(project)
    (project / "posts.csv").rename(project / "redsm5_posts.csv")
    assert len(read_corpus(CorpusSettings(), project).annotations) == 1


def test_files_under_both_names_are_refused(project: Path) -> None:
    write(project)
    for name in ("posts.csv", "annotations.csv"):
        shutil.copy(project / name, project / f"redsm5_{name}")
    (line,) = refused(project)
    assert "holds posts.csv and redsm5_posts.csv; name the files in corpus.files" in line
    named = CorpusSettings.model_validate({"files": {"posts": "posts.csv", "annotations": "annotations.csv"}})
    assert len(read_corpus(named, project).annotations) == 1


AUTHORS = "post_id,text,author\ns_7_1,One thing.,ann\ns_7_2,Quite another story.,bob\ns_8_1,A third one.,ann\n"


@pytest.mark.parametrize(
    ("group", "expected"),
    [(None, [0, 1, 2]), ({"pattern": r"^s_(\d+)_"}, [0, 0, 1]), ({"column": "author"}, [0, 1, 0])],
)
def test_posts_of_an_author_are_one_group(project: Path, group: dict[str, str] | None, expected: list[int]) -> None:
    write(project, HEAD + "s_7_1,a,One thing.,FATIGUE,0,\n", AUTHORS)
    settings = CorpusSettings.model_validate({"group": group})
    assert read_corpus(settings, project).posts["group"].tolist() == expected


def test_an_author_that_is_not_given_is_a_problem(project: Path) -> None:
    write(project, HEAD + "s_7_1,a,One thing.,FATIGUE,0,\n", AUTHORS.replace(",bob", ","))
    assert refused(project, CorpusSettings.model_validate({"group": {"column": "author"}})) == [
        f"{project / 'posts.csv'}, row 3: author is empty (post 's_7_2')"
    ]
    (line,) = refused(project, CorpusSettings.model_validate({"group": {"pattern": "^x(.)"}}))
    assert "no post_id matches corpus.group.pattern '^x(.)' (the first is 's_7_1')" in line
    (line,) = refused(project, CorpusSettings.model_validate({"group": {"pattern": "^s_(7)_"}}))
    assert line.endswith("row 4: post_id does not match corpus.group.pattern (post 's_8_1')")


def test_columns_can_be_renamed(project: Path) -> None:
    write(project, HEAD.replace("DSM5_symptom", "label") + ROW)
    settings = CorpusSettings.model_validate_json('{"columns": {"criterion": "label"}}')
    assert len(read_corpus(settings, project).annotations) == 1


def test_criteria_files_are_checked(project: Path) -> None:
    path = project / "c.json"
    for text, expected in (
        ("{}", "expected a list"),
        ('[{"id": "A"}]', "entry 1: expected non-empty"),
        ('[{"id": "A", "text": "a"}, {"id": "A", "text": "b"}]', "entry 2: criterion 'A' is listed twice"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=expected):
            read_criteria(path)
    path.write_bytes(b'\xef\xbb\xbf[{"id": "A", "text": "a"}]')  # with a byte order mark
    assert read_criteria(path) == {"A": "a"}
    assert criteria_path(CorpusSettings(criteria="c.json")) == Path("c.json")
    assert criteria_path(CorpusSettings(dir="elsewhere")) == Path("config/criteria.json")


def test_all_criteria_cannot_be_excluded(project: Path) -> None:
    write(project)
    (project / "criteria.json").write_text('[{"id": "SLEEP_ISSUES", "text": "a"}]')
    assert refused(project, CorpusSettings(excluded_criteria=("SLEEP_ISSUES",))) == [
        "corpus.excluded_criteria: no criterion is left to score; exclude fewer of them"
    ]


def test_an_excluded_criterion_must_exist(project: Path) -> None:
    write(project)
    (project / "criteria.json").write_text('[{"id": "SLEEP_ISSUES", "text": "a"}]')
    found = refused(project, CorpusSettings(excluded_criteria=("SPECIAL_CASE", "SLEEP_ISSUE", "SPECIAL_CASES")))
    assert len(found) == 2
    assert found[0].startswith("corpus.excluded_criteria: criterion 'SLEEP_ISSUE' is unknown; did you mean 'SLEEP_I")
    assert "did you mean 'SPECIAL_CASE'?" in found[1], "production excludes it, whether or not a corpus has it"


def test_the_hash_depends_on_the_content(project: Path) -> None:
    first = read_corpus(CorpusSettings(), write(project))
    assert first.hash() == read_corpus(CorpusSettings(), project).hash()
    changed = Corpus(first.posts, first.annotations.assign(status=0), first.criteria)
    assert changed.hash() != first.hash()


def test_a_long_list_of_problems_is_cut_and_the_rest_is_counted(project: Path) -> None:
    found = refused(write(project, HEAD + "".join(f"q{i},x,a,FATIGUE,1,\n" for i in range(60))))
    assert len(found) == 51 and found[-1] == "… and 10 more problems"
