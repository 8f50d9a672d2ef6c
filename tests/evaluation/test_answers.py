"""The share of right answers, decided in one pass, is what greedy decoding would write."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lilliput.corpus import END, Example
from lilliput.corpus.examples import gather
from lilliput.data.encoded_examples import EncodedExamples, encode_examples
from lilliput.errors import CorpusError
from lilliput.evaluation.answers import answer_baselines, most_frequent_answer, score_answers
from lilliput.generation.settings import SampleSettings
from lilliput.models import Model, build
from lilliput.models.settings import GPTSettings, RecurrentSettings
from lilliput.objectives.next_token import next_token
from lilliput.tokenizers import Tokenizer, train
from lilliput.writer import Writer

EXAMPLES = gather("sums", [Example(f"{a}+{b}=", str(a + b)) for a in range(7) for b in (0, 3, 25)])


def partly_trained(model: GPTSettings | RecurrentSettings) -> tuple[Model, EncodedExamples, Tokenizer]:
    """A network that knows some of the answers and not all."""
    tokenizer = train("char", [EXAMPLES.text, END])
    known = encode_examples(EXAMPLES, tokenizer)
    torch.manual_seed(1)
    network = build(model, tokenizer.vocab_size, known.positions)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    batch = known.batch(np.arange(len(known)))
    for _ in range(400):
        loss = next_token(network, batch) / batch.weights_BT.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if 0.4 < score_answers(network, known).exact_match < 0.8:
            return network, known, tokenizer
    raise AssertionError("the network never knew some of the answers")


@pytest.mark.parametrize(
    "model",
    [GPTSettings(layers=1, width=16, heads=2), RecurrentSettings(kind="gru", width=16)],
    ids=["gpt", "gru"],
)
def test_one_pass_decides_what_greedy_decoding_would_write(model: GPTSettings | RecurrentSettings) -> None:
    network, known, tokenizer = partly_trained(model)
    score = score_answers(network, known)
    writer = Writer(network, tokenizer, SampleSettings(temperature=0.0, max_tokens=9, stop=(END,)))
    written = [writer.write(example.prompt) == example.prompt + example.answer for example in EXAMPLES]
    assert [index for index, right in enumerate(written) if not right] == list(score.wrong_indices)
    assert 0 < score.right < score.problems == len(EXAMPLES)
    assert score.exact_match == sum(written) / len(EXAMPLES)
    # The loss is that of the answers alone.
    batch = known.batch(np.arange(len(known)))
    assert score.tokens == int(batch.weights_BT.sum())
    expected = float(next_token(network, batch).detach()) / score.tokens
    assert math.isclose(score.loss_nats_per_token, expected, rel_tol=1e-5)


def test_an_answer_without_its_end_is_wrong() -> None:
    network, known, tokenizer = partly_trained(GPTSettings(layers=1, width=16, heads=2))
    before = score_answers(network, known)
    end = int(tokenizer.encode(END)[0])
    with torch.no_grad():
        network.output.weight[end] = -1000 * network.output.weight[end].sign()  # type: ignore[index, union-attr]
    after = score_answers(network, known)
    assert before.right > after.right


def test_the_size_of_the_batches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, known, _ = partly_trained(GPTSettings(layers=1, width=16, heads=2))
    whole = score_answers(network, known)
    for batch in (1, 4):
        parts = score_answers(network, known, batch=batch)
        assert parts.wrong_indices == whole.wrong_indices
        assert math.isclose(parts.loss_nats_per_token, whole.loss_nats_per_token, rel_tol=1e-5)
    monkeypatch.setattr("lilliput.evaluation.answers.POSITIONS_AT_ONCE", 20)
    monkeypatch.setattr("lilliput.evaluation.answers.LOGITS_AT_ONCE", 50)
    assert score_answers(network, known).wrong_indices == whole.wrong_indices


def test_a_limit_scores_problems_from_all_over() -> None:
    network, known, _ = partly_trained(GPTSettings(layers=1, width=16, heads=2))
    whole, part = score_answers(network, known), score_answers(network, known, limit=20)
    assert part.problems < whole.problems
    assert part.sampled_share == part.problems / whole.problems
    assert part.tokens <= 25
    assert score_answers(network, known, limit=10_000) == whole
    assert score_answers(network, known, limit=1).problems == 1


def test_the_mode_of_the_model_and_the_generator_stay() -> None:
    network, known, _ = partly_trained(GPTSettings(layers=1, width=16, heads=2, dropout=0.5))
    network.train()
    before = torch.get_rng_state()
    one, other = score_answers(network, known), score_answers(network, known)
    assert one == other
    assert network.training
    assert torch.equal(before, torch.get_rng_state())


class Broken(nn.Module):
    vocab_size = 40

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), math.nan))

    def features(self, ids_BT: torch.Tensor) -> torch.Tensor:
        return self.weight.expand(*ids_BT.shape, 4)

    def head(self, features_BTD: torch.Tensor) -> torch.Tensor:
        return features_BTD[..., :1].expand(*features_BTD.shape[:-1], self.vocab_size)


def test_figures_for_json() -> None:
    network, known, _ = partly_trained(GPTSettings(layers=1, width=16, heads=2))
    score = score_answers(network, known)
    values = score.as_dict()
    assert values.keys() == {"exact_match", "right", "problems", "loss", "perplexity", "tokens", "sampled_share"}
    assert math.isclose(values["perplexity"], math.exp(values["loss"]), rel_tol=1e-4)
    broken = score_answers(Broken(), known).as_dict()  # type: ignore[arg-type]
    assert (broken["loss"], broken["perplexity"]) == (None, None)


def test_the_commonest_answer_and_what_it_would_reach() -> None:
    training = gather("t", [Example(str(n), answer) for n, answer in enumerate(["b", "a", "a", "b", "c"])])
    assert most_frequent_answer(training) == "b"  # as frequent as "a", and first
    held_out = gather("h", [Example(str(n), answer) for n, answer in enumerate(["b", "a", "b", "z"])])
    assert answer_baselines("b", held_out) == {"most_frequent_answer": {"answer": "b", "exact_match": 0.5}}
    with pytest.raises(CorpusError, match="no examples to learn from"):
        most_frequent_answer(gather("none", []))
