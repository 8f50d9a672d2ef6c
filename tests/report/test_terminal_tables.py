import io

import pytest
from rich.console import Console

from lilliput.report.terminal_tables import PART_NAMES, answers_table, evaluation_table, table

SEPARATE = {"loss": 1.68812, "perplexity": 5.4097, "bits_per_character": 2.4354, "bits_per_byte": 2.4301}
SLIDING = {"loss": 1.61012, "perplexity": 5.0031, "bits_per_character": 2.3228, "bits_per_byte": 2.3101}
FLOORS = {
    "ngram": {"order": 5, "bits_per_character": 2.408},
    "ppmd": {"order": 6, "bits_per_character": 2.3001},
    "xz": {"bits_per_character": 2.518},
}
ROWS = [
    {
        "name": "french-poetry",
        "description": "Hugo, Baudelaire [red]and[/] Verlaine",
        "characters": 4525992,
        "fetched": True,
    },
    {"name": "shakespeare", "description": "forty thousand lines of plays", "characters": 1115394, "fetched": False},
]


def rendered(renderable, width):
    stream = io.StringIO()
    Console(file=stream, width=width).print(renderable)
    return stream.getvalue()


@pytest.mark.parametrize("width", [30, 45, 60, 80, 120])
def test_no_figure_of_an_evaluation_is_cut_at_any_width(width):
    text = rendered(evaluation_table({"separate": SEPARATE, "sliding": SLIDING}, FLOORS, "better than counting"), width)
    for part in ["1.6881", "5.410", "2.435", "2.430", "1.6101", "5.003", "2.323", "2.310", "2.408", "2.300", "2.518"]:
        assert part in text
    for name in [
        "separate windows",
        "sliding windows",
        "count model (order 5)",
        "PPMd (order 6)",
        "xz",
        "Better than counting.",
    ]:
        assert name in text
    assert max(map(len, text.splitlines())) <= width


def test_an_evaluation_is_a_table_at_sixty_columns():
    lines = rendered(evaluation_table({"separate": SEPARATE, "sliding": SLIDING}, FLOORS), 60).splitlines()
    assert any(line.split() == ["separate", "windows", "1.6881", "5.410", "2.435", "2.430"] for line in lines)
    assert any(line.split() == ["count", "model", "(order", "5)", "2.408"] for line in lines)


def test_the_parts_of_a_model_stand_below_it():
    parts = {
        "network": {"loss": 13.2761, "bits_per_character": 19.1533},
        "counts": {"loss": 1.4321, "bits_per_character": 2.0661},
    }
    lines = rendered(evaluation_table({"sliding": SLIDING | {"parts": parts}}, FLOORS), 80).splitlines()
    names = [line.strip()[:24] for line in lines]
    places = [
        next(i for i, name in enumerate(names) if name.startswith(part)) for part in ("sliding", *PART_NAMES.values())
    ]
    assert places == list(range(places[0], places[0] + 3))
    assert lines[places[1]].split() == ["network", "alone", "13.2761", "19.153"]
    assert lines[places[2]].split() == ["counts", "and", "guesses", "alone", "1.4321", "2.066"]


def test_figures_that_are_not_finite_are_named():
    text = rendered(evaluation_table({"separate": SEPARATE | {"perplexity": None}}), 80)
    assert "not finite" in text


@pytest.mark.parametrize("width", [24, 40, 60, 100])
def test_names_and_numbers_stay_whole_and_markup_is_only_text(width):
    text = rendered(table(ROWS, ["name", "description", "characters", "fetched"]), width)
    for part in ["french-poetry", "shakespeare", "4,525,992", "1,115,394", "[red]and[/]", "yes", "no"]:
        assert part in text
    assert max(map(len, text.splitlines())) <= width


def test_headings_can_be_given_and_missing_cells_are_empty():
    text = rendered(table([{"name": "a", "size": 0.5}, {"name": "b"}], {"name": "recipe", "size": "how large"}), 60)
    assert "recipe" in text
    assert "how large" in text
    assert "None" not in text


def test_no_rows_give_a_table_of_headings():
    headings, rule, end = rendered(table([], ["name", "description"]), 60).split("\n")
    assert headings.split() == ["name", "description"]
    assert (set(rule), end) == ({"─"}, "")


ANSWERS = {
    "exact_match": 0.9998,
    "right": 9998,
    "problems": 10_000,
    "loss": 0.00071,
    "perplexity": 1.00071,
    "baselines": {"most_frequent_answer": {"answer": "999", "exact_match": 0.0012}},
    "wrong": [
        {"prompt": "12+34=", "expected": "46", "given": "47"},
        {"prompt": "a\nb", "expected": "[c]", "given": ""},
    ],
}


@pytest.mark.parametrize("width", [40, 80, 120])
def test_answers_have_their_share_their_baseline_and_some_that_are_wrong(width):
    text = rendered(answers_table(ANSWERS), width)
    for part in ("99.98%", "0.1%", "0.0007", "1.001", "12+34=", "46", "47", "a\u23ceb", "[c]"):
        assert part in text
    flat = " ".join(text.split())
    assert "Better than guessing: 9,998 of 10,000 answers are right (99.98%), against 0.1% by always giving" in flat
    assert max(map(len, text.splitlines())) <= width


def test_answers_that_are_all_wrong_or_all_right():
    perfect = rendered(answers_table(ANSWERS | {"exact_match": 1.0, "right": 10_000, "wrong": []}), 80)
    assert "100%" in perfect
    assert "wrong" not in perfect
    poor = rendered(answers_table(ANSWERS | {"exact_match": 0.0, "right": 0, "loss": None, "perplexity": None}), 80)
    assert "NOT better than guessing yet: 0 of 10,000 answers are right (0%)" in " ".join(poor.split())
    assert "not finite" in poor
