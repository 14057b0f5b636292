"""The supervised warm-up: what is in its loss, what learns, and that it does."""

import pytest
import torch

from kit.errors import ContextLengthError, DivergenceError, UsageError
from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.lora import LoraSettings
from kit.lm.transformers_backend import TransformersBackend
from kit.lm.warm_up import WarmUpSettings, answer_loss, warm_up
from tests.lm.conftest import ACTIONS, RULES, STATES, examples

QUICK = WarmUpSettings(steps=120, batch=10, learning_rate=1e-2)


def everything(lm: LanguageModel) -> torch.Tensor:
    """Return all weights, one after another."""
    return torch.cat([parameter.detach().flatten() for parameter in lm.module.parameters()])


def test_the_loss_is_the_mean_over_the_answers_tokens(lm):
    """Against the sum by hand, one example after another; prompts of other lengths count nothing."""
    rows = [(lm.tokens(RULES + "J"), lm.tokens("check 1")), (lm.tokens("Q"), lm.tokens("bet"))]
    total, count = 0.0, 0
    for prompt, answer in rows:
        logits = lm.module(input_ids=torch.tensor([prompt + answer])).logits[0]
        for place, token in enumerate(answer, start=len(prompt)):
            total -= torch.log_softmax(logits[place - 1], dim=-1)[token].item()
            count += 1
    assert answer_loss(lm, rows).item() == pytest.approx(total / count, abs=1e-5)
    assert count == 4


def test_gradients_of_padded_rows_are_those_of_the_rows_alone(lm):
    """Padding without anything before it sees nothing; that must not make a gradient of NaN."""
    rows = [(lm.tokens(RULES + "J"), lm.tokens("check")), (lm.tokens("Q"), lm.tokens("bet"))]
    gradients = []
    for batches in ([rows], [[row] for row in rows]):
        lm.module.zero_grad()
        for batch in batches:
            (answer_loss(lm, batch) / len(batches)).backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in lm.module.parameters()]))
    assert torch.allclose(*gradients, atol=1e-5)


def test_a_model_learns_its_answers_and_to_end_them(lm):
    """After 120 steps the greedy answers are those of the examples."""
    losses = warm_up(lm, examples(), QUICK)
    assert len(losses) == QUICK.steps
    assert losses[-1] < 0.1 < losses[0]
    asked = [
        Request(Prompt(RULES, state), seed=0, sampling=Sampling(temperature=0.0, max_tokens=6))
        for state in STATES
    ]
    learned = {prompt.rest: answer for prompt, answer in examples()}
    for request, answer in zip(asked, TransformersBackend(lm).generate(asked), strict=True):
        assert (answer.text, answer.ended) == (learned[request.prompt.rest], True)
    assert set(learned.values()) <= set(ACTIONS)


def test_the_same_warm_up_gives_the_same_weights(lm, tiny_folder):
    """Bit for bit; another seed gives others, and the global generator is where it was."""
    state = torch.random.get_rng_state()
    others = [LanguageModel.load(tiny_folder, device="cpu") for _ in range(2)]
    few = WarmUpSettings(steps=4, batch=3)
    losses = [warm_up(model, examples(), few) for model in (lm, others[0])]
    warm_up(others[1], examples(), WarmUpSettings(steps=4, batch=3, seed=1))
    assert losses[0] == losses[1]
    assert torch.equal(everything(lm), everything(others[0]))
    assert not torch.equal(everything(lm), everything(others[1]))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_every_example_is_seen_before_any_comes_again(lm, monkeypatch):
    """Whatever the size of a batch."""
    from kit.lm import warm_up as module

    seen: list[list[int]] = []
    monkeypatch.setattr(
        module, "answer_loss", lambda lm, rows: seen.extend(p for p, _ in rows) or answer_loss(lm, rows)
    )
    warm_up(lm, [(Prompt("", state), "bet") for state in STATES], WarmUpSettings(steps=5, batch=3))
    texts = [lm.text(tokens) for tokens in seen]
    assert [sorted(texts[start : start + 5]) for start in (0, 5, 10)] == [sorted(STATES)] * 3


def test_only_the_adapter_learns_where_one_does(lm):
    """The model and other adapters stay bit for bit, and what may learn is as before."""
    lm.adapt(LoraSettings(rank=4))
    lm.adapt(LoraSettings(rank=4), "critic", seed=1)
    names = {name: parameter.detach().clone() for name, parameter in lm.module.named_parameters()}
    flags = [parameter.requires_grad for parameter in lm.module.parameters()]
    losses = warm_up(lm, examples(), WarmUpSettings(steps=20, batch=10, learning_rate=1e-2, full=False))
    assert losses[-1] < losses[0]
    for name, parameter in lm.module.named_parameters():
        assert torch.equal(parameter, names[name]) == (".policy." not in name)
        assert parameter.grad is None
    assert [parameter.requires_grad for parameter in lm.module.parameters()] == flags
    assert not lm.module.training


def test_all_weights_learn_without_the_adapters(lm):
    """Those stay as they are, though they stand on what changes."""
    lm.adapt(LoraSettings(rank=4))
    before = [parameter.detach().clone() for parameter in lm.trainable()]
    base = [parameter.detach().clone() for parameter in lm.adapters.base_parameters()]
    warm_up(lm, examples(), WarmUpSettings(steps=3, batch=4))
    assert all(map(torch.equal, lm.trainable(), before))
    assert not any(map(torch.equal, lm.adapters.base_parameters(), base))


def test_another_stop_token_can_be_learned(lm):
    """The answers end with it then."""
    warm_up(lm, examples(), WarmUpSettings(steps=60, batch=10, learning_rate=1e-2, stop="\n"))
    sampling = Sampling(temperature=0.0, max_tokens=6, stop=("\n",))
    (answer,) = TransformersBackend(lm).generate([Request(Prompt(RULES, STATES[0]), 0, sampling)])
    assert answer.token_ids[-1] == lm.stop_token("\n")


def test_a_loss_that_is_no_number_stops_before_the_update(lm):
    """And names the step."""
    with torch.no_grad():
        lm.module.get_input_embeddings().weight[lm.tokens("J")[0]] = float("nan")
    before = everything(lm)
    with pytest.raises(DivergenceError, match="Step 0"):
        warm_up(lm, [(Prompt("", "J"), "bet")], WarmUpSettings(steps=2, batch=1))
    assert torch.equal(everything(lm).nan_to_num(), before.nan_to_num())


def test_what_cannot_be_learned_from_is_refused(lm):
    """No examples, an empty prompt, one that is too long, a stop text of two tokens, no such adapter."""
    one = WarmUpSettings(steps=1, batch=1)
    for bad in ([], [(Prompt("", ""), "bet")]):
        with pytest.raises(UsageError):
            warm_up(lm, bad, one)
    with pytest.raises(ContextLengthError, match=r"200 tokens .* 128 "):
        warm_up(lm, [(Prompt("", "J" * 200), "bet")], one)
    with pytest.raises(UsageError, match="one token"):
        warm_up(lm, examples(), WarmUpSettings(steps=1, stop="!!"))
    with pytest.raises(UsageError, match="policy"):
        warm_up(lm, examples(), WarmUpSettings(steps=1, full=False))


def test_weights_in_float16_are_not_trained(tiny_folder):
    """An update is smaller than the distance to the next number."""
    half = LanguageModel.load(tiny_folder, device="cpu", dtype="float16")
    with pytest.raises(UsageError, match="float16"):
        warm_up(half, examples(), WarmUpSettings(steps=1))


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"gradient_clipping": -1.0}]
)
def test_settings_that_are_no_warm_up_are_refused(wrong):
    """The message names the value."""
    with pytest.raises(UsageError, match=next(iter(wrong))):
        WarmUpSettings(**wrong)
