from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.data.arithmetic import edges, make_problems
from lilliput.data.settings import ArithmeticSettings
from lilliput.errors import RecipeError


def asked(prompt: str) -> list[int]:
    assert prompt.endswith("=")
    return [int(number) for number in prompt[:-1].split("+")]


def longest_carry(a: int, b: int) -> int:
    """The most digits in a row into which a carry comes."""
    carry, run, longest = 0, 0, 0
    while a or b or carry:
        carry = int(a % 10 + b % 10 + carry >= 10)
        run = run + 1 if carry else 0
        longest = max(longest, run)
        a, b = a // 10, b // 10
    return longest


@settings(max_examples=25, deadline=None)
@given(
    digits=st.integers(1, 18),
    operands=st.integers(2, 9),
    reverse=st.booleans(),
    reverse_numbers=st.booleans(),
    padding=st.booleans(),
    seed=st.integers(0, 99),
    shorter=st.sampled_from([0.0, 0.3]),
)
def test_every_answer_is_the_sum_in_the_form_that_was_asked_for(
    digits: int, operands: int, reverse: bool, reverse_numbers: bool, padding: bool, seed: int, shorter: float
) -> None:
    chosen = ArithmeticSettings(
        digits=digits,
        operands=operands,
        reverse=reverse,
        reverse_numbers=reverse_numbers,
        padding=padding,
        training=40,
        validation=8,
        shorter=shorter,
    )
    training, held_out = make_problems(chosen, seed)
    width = len(str(operands * (10**digits - 1)))
    for example in [*training, *held_out]:
        places = -1 if reverse_numbers else 1
        numbers = [int(number[::places]) for number in example.prompt.removesuffix("=").split("+")]
        assert len(numbers) == operands
        assert max(numbers) < 10**digits
        written = "+".join(str(number).zfill(digits if padding else 1)[::places] for number in numbers)
        assert example.prompt == f"{written}="
        answer = str(sum(numbers)).zfill(width if padding else 1)
        assert example.answer == (answer[::-1] if reverse else answer)


@settings(max_examples=15, deadline=None)
@given(digits=st.sampled_from([1, 2, 4, 7]), operands=st.integers(2, 3), seed=st.integers(0, 99), carries=st.booleans())
def test_no_problem_that_is_held_out_is_learnt_in_any_order(
    digits: int, operands: int, seed: int, carries: bool
) -> None:
    chosen = ArithmeticSettings(
        digits=digits,
        operands=operands,
        training=55,
        validation=8,
        carries=0.4 if carries and operands == 2 else 0.0,
        shorter=0.5,
    )
    training, held_out = make_problems(chosen, seed)
    learnt = [tuple(asked(example.prompt)) for example in training]
    held = [tuple(sorted(asked(example.prompt))) for example in held_out]
    assert len(learnt) == 55
    assert len(set(learnt)) == 55
    assert len(set(held)) == len(held) >= 8
    assert not {tuple(sorted(numbers)) for numbers in learnt} & set(held)


def test_a_seed_makes_the_same_problems_and_another_others() -> None:
    chosen = ArithmeticSettings(digits=5, training=100, validation=10)
    one, again, other = (make_problems(chosen, seed) for seed in (1, 1, 2))
    assert [part.sha256 for part in one] == [part.sha256 for part in again]
    assert one[0].sha256 != other[0].sha256
    assert one[1].sha256 != other[1].sha256


def test_all_the_problems_that_there_are_can_be_asked_for() -> None:
    chosen = ArithmeticSettings(digits=1, training=81, validation=10)
    left = 100 - sum(2 if a != b else 1 for a, b in held(chosen))
    training, _ = make_problems(chosen.model_copy(update={"training": left}), 1)
    assert len(training) == left
    with pytest.raises(RecipeError, match=rf"training = {left + 1} is too many: {left} problems .*lower it"):
        make_problems(chosen.model_copy(update={"training": left + 1}), 1)


def held(chosen: ArithmeticSettings) -> list[list[int]]:
    _, held_out = make_problems(chosen.model_copy(update={"training": 1}), 1)
    return [asked(example.prompt) for example in held_out]


@pytest.mark.parametrize("values", [{"validation": 55}, {"validation": 49, "edges": True}, {"validation": 10_000}])
def test_more_held_out_than_there_are_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match=r"leaves no training problems: there are 55 sums of 2 numbers"):
        make_problems(ArithmeticSettings.model_validate({"digits": 1, "training": 1, **values}), 1)


def test_ten_edges_are_held_out_from_four_digits_on() -> None:
    ten = ArithmeticSettings(digits=10, training=100, validation=50)
    _, held_out = make_problems(ten, 1)
    problems = [asked(example.prompt) for example in held_out]
    assert len(problems) == 60
    for numbers in ([0, 0], [9999999999, 1], [9999999999, 9999999999], [5555555555, 4444444445]):
        assert numbers in problems[:10]
    _, without = make_problems(ten.model_copy(update={"edges": False}), 1)
    assert len(without) == 50
    _, three = make_problems(ten.model_copy(update={"digits": 3}), 1)
    assert len(three) == 50


@pytest.mark.parametrize("digits", [1, 2, 3, 10, 18])
@pytest.mark.parametrize("operands", [2, 5])
def test_edges_fit_their_digits(digits: int, operands: int) -> None:
    rows = edges(digits, operands)
    assert rows.shape[1] == operands
    assert rows.min() == 0
    assert rows.max() == 10**digits - 1
    assert len({tuple(sorted(row)) for row in rows.tolist()}) == len(rows)
    assert len(rows) == (10 if digits > 2 else len(rows)) >= 6


def test_shares_of_long_carries_and_of_short_numbers() -> None:
    def learnt(**shares: float) -> list[list[int]]:
        training, _ = make_problems(ArithmeticSettings(digits=10, training=2000, validation=10, **shares), 1)
        return [asked(example.prompt) for example in training]

    def with_long_carry(problems: list[list[int]]) -> int:
        return sum(longest_carry(a, b) >= 6 for a, b in problems)

    assert with_long_carry(learnt(carries=0.5)) > 3 * with_long_carry(learnt())
    lengths = Counter(len(str(number)) for numbers in learnt(shorter=1.0) for number in numbers)
    assert all(lengths[length] > 200 for length in range(1, 11))
    assert Counter(len(str(number)) for numbers in learnt() for number in numbers)[10] > 3400


def test_problems_to_learn_are_drawn_from_all() -> None:
    training, _ = make_problems(ArithmeticSettings(digits=3, training=20_000, validation=10), 1)
    numbers = np.array([asked(example.prompt) for example in training])
    assert abs(numbers.mean(0) - 499.5).max() < 15
    assert (np.bincount(numbers[:, 0] % 10) > 1700).all()


@pytest.mark.parametrize(
    "values",
    [
        {"digits": 0},
        {"digits": 19},
        {"operands": 1},
        {"training": 0},
        {"validation": 0},
        {"carries": 0.6, "shorter": 0.6},
        {"carries": 0.1, "operands": 3},
        {"carries": -0.1},
        {"digit": 3},
    ],
)
def test_impossible_settings_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ArithmeticSettings.model_validate(values)
