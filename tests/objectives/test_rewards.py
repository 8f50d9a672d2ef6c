"""Rewards of lines that begin with their last word: the first tokens decide them."""

import pytest
from tests.conftest import made_up_verse

from lilliput.objectives.rewards import VerseReward
from lilliput.objectives.settings import ObjectiveSettings
from lilliput.tokenizers import Tokenizer, train
from lilliput.verse.french import French
from lilliput.verse.lexicon import Lexicon

TEXT = made_up_verse(100)


@pytest.fixture(scope="module", params=["char", "bpe"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train(request.param, [TEXT], 48 if request.param == "bpe" else None, reverse_lines=True)


def reward_of(tokenizer: Tokenizer, **settings: float) -> VerseReward:
    values = ObjectiveSettings.model_validate({"kind": "vargrad", "language": "fr"} | settings)
    return VerseReward(values, tokenizer, Lexicon.of(TEXT, French()), tokenizer.encode("\n").tolist())


def lines() -> list[str]:
    return [line for line in TEXT.split("\n") if line]


def test_the_tokens_that_decide_a_reward_give_that_of_the_whole_line(tokenizer: Tokenizer) -> None:
    reward = reward_of(tokenizer)
    seen = set()
    for before, line in zip(lines()[:120], lines()[1:], strict=False):
        prompt, whole = tokenizer.encode(f"ba lana\n{before}\n").tolist(), tokenizer.encode(f"{line}\n").tolist()
        decided = whole[: reward.decided(whole)]
        assert len(decided) < len(whole)
        assert reward(prompt, decided) == reward(prompt, whole)
        assert reward(prompt, decided[:-1]) == 0  # the word may go on
        seen.add(reward(prompt, whole))
    assert 0 in seen
    assert len(seen) > 1


def test_a_metre_needs_the_whole_line(tokenizer: Tokenizer) -> None:
    reward = reward_of(tokenizer, metre=0.5)
    whole = tokenizer.encode("ba lana\n").tolist()
    assert not reward.is_early
    assert reward.decided(whole) == len(whole)
    assert not any(reward.follows(whole))


def test_a_line_goes_on_after_its_last_word(tokenizer: Tokenizer) -> None:
    prompt = tokenizer.encode("ba de lana\nfa mira\n").tolist()
    follows = reward_of(tokenizer).follows(prompt)
    end = tokenizer.encode("\n").tolist()[0]
    starts = [0, prompt.index(end) + 1]
    for start in starts:
        line = prompt[start : prompt.index(end, start) + 1]
        decided = reward_of(tokenizer).decided(line)
        assert follows[start : start + len(line)] == [
            decided - 1 <= place < len(line) - 1 for place in range(len(line))
        ]


def test_each_prompt_may_have_its_own_partner(tokenizer: Tokenizer) -> None:
    reward = reward_of(tokenizer, rhyme_distance="any")
    assert reward.partner(tokenizer.encode("ba lana\nde mira\nfa bodi\n").tolist()) == "fa bodi"
    prompts = [tokenizer.encode(f"ba tela\nba lana\n{opening} mira\nfa bodi\n").tolist() for opening in ("de", "fa")]
    reward.remember(prompts, [2, 3])
    assert [reward.partner(prompt) for prompt in prompts] == ["de mira", "ba lana"]
