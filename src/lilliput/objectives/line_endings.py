"""An auxiliary loss for verse: at each token, name the last tokens of the lines before, and of the present line.

A rhyme asks a network to carry the end of an earlier line to where the new line ends. Next-token prediction alone
hardly teaches that, since only one token in thirty rhymes. Here every position has the ends of lines as its targets.
The ends of the lines before are facts that the network has to keep; the end of the present line is a plan.

The targets are predicted from hidden states by matrices that are drawn once and never trained (Hoffer et al. 2018,
arXiv 1801.04540). The network learns to store the tokens where they can be read, and nothing is left over after
training. The ends before are read in the middle of the network, so that the blocks after it can use them; the plan is
read before the last block.

Axes: B rows, T time, N positions, D width, V vocabulary, H targets of a position.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from lilliput.errors import VerseError
from lilliput.tokenizers import line_ends

LINES, TOKENS = 3, 2
"""Lines before the present one, and tokens at the end of each line."""
PLAN = 0.5
"""Weight of the plan, relative to that of the lines before."""
SCALE = 2.0
"""Scale of the logits. The hidden states are normalised to a mean square of 1."""
MOST_TOKENS = 8192
"""Maximum tokens of a vocabulary."""
UNKNOWN = -100
"""The target where the line is outside the window; `cross_entropy` leaves it out."""


def line_endings(ids_BT: Tensor, ends_V: Tensor, letters_V: Tensor, reversed_lines: bool = False) -> Tensor:
    """Return targets_BTH: the last tokens with a letter of the lines before, the latest first, and of the present line.

    `ends_V` and `letters_V` say which tokens end a line, and which have a letter. At the end of a line, that line is
    one of those before. The tokens of a line are given from its end; of the present line, only those that follow.
    With `reversed_lines`, a line begins with its last characters, and the present one has no targets.
    """
    row = _Row(ids_BT, ends_V, letters_V)
    targets = []
    end_BT = row.latest_end_BT
    for _ in range(LINES):
        last_BT = row.at(row.latest_first_BT if reversed_lines else row.latest_letter_BT, end_BT)
        targets += row.forwards(last_BT, end_BT) if reversed_lines else row.backwards(last_BT, row.nowhere_BT)
        end_BT = row.at(row.latest_end_BT, last_BT)
    if not reversed_lines:
        targets += row.backwards(row.at(row.latest_letter_BT, row.next_end_BT), row.positions_BT)
    return torch.stack(targets, -1)


class _Row:
    """Where lines and words are in the rows of a batch; positions are -1 where there are none."""

    def __init__(self, ids_BT: Tensor, ends_V: Tensor, letters_V: Tensor) -> None:
        self.ids_BT = ids_BT
        self.nowhere_BT = torch.full_like(ids_BT, -1)
        self.positions_BT = torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT)
        is_end_BT, is_letter_BT = ends_V[ids_BT], letters_V[ids_BT]
        self.latest_end_BT = self._latest(is_end_BT)
        self.latest_letter_BT = self._latest(is_letter_BT)
        before_BT = torch.cat((self.nowhere_BT[:, :1], self.latest_letter_BT[:, :-1]), 1)
        is_first_BT = is_letter_BT & (self.latest_end_BT >= 0) & (before_BT < self.latest_end_BT)
        self.latest_first_BT = self._latest(is_first_BT)
        self.next_end_BT, self.next_letter_BT = self._next(is_end_BT), self._next(is_letter_BT)

    def at(self, table_BT: Tensor, where_BT: Tensor) -> Tensor:
        """Return the values of a table at positions."""
        return torch.where(where_BT < 0, self.nowhere_BT, table_BT.gather(1, where_BT.clamp(min=0)))

    def backwards(self, last_BT: Tensor, after_BT: Tensor) -> list[Tensor]:
        """Return the tokens with letters from a position backwards, as far as they stand after another position."""
        targets = []
        for _ in range(TOKENS):
            targets.append(self.at(self.ids_BT, last_BT).masked_fill(last_BT <= after_BT, UNKNOWN))
            last_BT = self.at(self.latest_letter_BT, last_BT - 1)
        return targets

    def forwards(self, first_BT: Tensor, before_BT: Tensor) -> list[Tensor]:
        """Return the tokens with letters from a position onwards, as far as they stand before another position."""
        targets = []
        for _ in range(TOKENS):
            known_BT = (first_BT >= 0) & (first_BT < before_BT)
            targets.append(self.at(self.ids_BT, first_BT).masked_fill(~known_BT, UNKNOWN))
            first_BT = torch.where(known_BT, self.at(self.next_letter_BT, first_BT), self.nowhere_BT)
        return targets

    def _next(self, marked_BT: Tensor) -> Tensor:
        """Return the position of the first marked token after each position."""
        time = self.ids_BT.shape[1]
        marks_BT = torch.where(marked_BT, self.positions_BT, time)
        first_BT = marks_BT.flip(1).cummin(1).values.flip(1)
        next_BT = torch.cat((first_BT[:, 1:], torch.full_like(first_BT[:, :1], time)), 1)
        return torch.where(next_BT < time, next_BT, self.nowhere_BT)

    def _latest(self, marked_BT: Tensor) -> Tensor:
        """Return the position of the latest marked token up to each position."""
        return torch.where(marked_BT, self.positions_BT, self.nowhere_BT).cummax(1).values


class LineEndings:
    """The auxiliary loss for a vocabulary, given as the text of each token.

    Raises TokenizerError if no token of its own ends a line, VerseError if there are too many tokens.
    """

    def __init__(self, texts: Sequence[str], reversed_lines: bool = False) -> None:
        self._reversed_lines = reversed_lines
        self._ends_V = torch.zeros(len(texts), dtype=torch.bool)
        self._ends_V[line_ends(texts)] = True
        if len(texts) > MOST_TOKENS:
            raise VerseError(
                f"objective.line_endings works for at most {MOST_TOKENS:,} tokens, not {len(texts):,}: "
                "set a smaller tokenizer.vocabulary"
            )
        self._letters_V = torch.tensor([any(map(str.isalpha, text)) for text in texts])
        self._codes_HVD: Tensor | None = None

    def loss(self, hidden_states: Sequence[Tensor], ids_BT: Tensor) -> Tensor:
        """Return the sum of the negative log-likelihoods of all targets, in nats; those of the plan count less.

        `hidden_states` has states_BTD after each block of a network.
        """
        width, device = hidden_states[0].shape[-1], ids_BT.device
        if self._codes_HVD is None:
            self._codes_HVD = _codes(len(self._ends_V), width).to(device)
            self._ends_V, self._letters_V = self._ends_V.to(device), self._letters_V.to(device)
        targets_BTH = line_endings(ids_BT, self._ends_V, self._letters_V, self._reversed_lines)
        memory_ND, plan_ND = (
            F.rms_norm(states_BTD.flatten(0, 1).float(), (width,))
            for states_BTD in (hidden_states[len(hidden_states) // 2], hidden_states[-2])
        )
        loss = memory_ND.new_zeros(())
        for number, targets_N in enumerate(targets_BTH.flatten(0, 1).T):
            planned = number >= LINES * TOKENS
            logits_NV = SCALE * (plan_ND if planned else memory_ND) @ self._codes_HVD[number].T
            nats = F.cross_entropy(logits_NV, targets_N, ignore_index=UNKNOWN, reduction="sum")
            loss = loss + (PLAN if planned else 1.0) * nats
        return loss


def _codes(vocabulary: int, width: int) -> Tensor:
    """Return codes_HVD of length 1 for each target, the same on every machine for the same sizes."""
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn((LINES + 1) * TOKENS, vocabulary, width, generator=generator), dim=-1)
