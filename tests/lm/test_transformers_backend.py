"""Generation: exact tokens and log-probabilities, whatever else is in the batch."""

from dataclasses import replace

import pytest
import torch

from kit.errors import ContextLengthError, DivergenceError, UsageError
from kit.lm.devices import seeded
from kit.lm.generation import Generation, Prompt, Request, Sampling
from kit.lm.language_model import LanguageModel
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.conftest import RULES, STATES

TWELVE = Sampling(max_tokens=12)


def requests(count: int = 10, sampling: Sampling = TWELVE) -> list[Request]:
    """Return requests with prompts of several lengths."""
    return [
        Request(Prompt(RULES, STATES[number % 5] * (1 + number % 3)), seed=100 + number, sampling=sampling)
        for number in range(count)
    ]


def logprobs_in_full(lm: LanguageModel, answer: Generation, temperature: float) -> torch.Tensor:
    """Return the log-probabilities of an answer's tokens by one pass over prompt and answer, without a cache."""
    ids = torch.tensor([answer.prompt_ids + answer.token_ids])
    with torch.no_grad():
        logits = lm.module(input_ids=ids).logits[0, len(answer.prompt_ids) - 1 : -1]
    logprobs = torch.log_softmax(logits.float() / (temperature or 1.0), dim=-1)
    return logprobs.gather(-1, torch.tensor(answer.token_ids).unsqueeze(-1)).squeeze(-1)


def same(some: list[Generation], others: list[Generation]) -> None:
    """Same tokens and text; log-probabilities to 1e-5."""
    for one, other in zip(some, others, strict=True):
        assert replace(one, logprobs=()) == replace(other, logprobs=())
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_log_probabilities_are_those_of_a_full_pass(lm, temperature):
    """At every temperature, for every token, the one that ends an answer included."""
    sampling = Sampling(temperature=temperature, max_tokens=12, stop=("a", "e", " "))
    answers = TransformersBackend(lm).generate(requests(sampling=sampling))
    for answer in answers:
        assert torch.tensor(answer.logprobs) == pytest.approx(
            logprobs_in_full(lm, answer, temperature), abs=1e-4
        )
    assert temperature == 0.0 or len({len(answer.token_ids) for answer in answers}) > 1


def test_a_batch_of_one_answers_as_a_batch_of_many(lm):
    """Padding, neighbours and rows that leave early change nothing."""
    backend = TransformersBackend(lm)
    asked = requests(sampling=Sampling(max_tokens=12, stop=("a", "e")))
    together = backend.generate(asked)
    same([backend.generate([request])[0] for request in asked], together)
    same(TransformersBackend(lm, most_rows=3).generate(asked), together)


def test_the_order_of_the_requests_changes_nothing(lm):
    """Answers come back in the order of the requests."""
    backend = TransformersBackend(lm)
    same(backend.generate(requests()[::-1])[::-1], backend.generate(requests()))


def test_a_request_again_is_answered_bit_for_bit(lm, tiny_folder):
    """By the same backend, whose cache is filled by now, and by a new one."""
    backend = TransformersBackend(lm)
    first = backend.generate(requests())
    assert backend.generate(requests()) == first
    assert TransformersBackend(LanguageModel.load(tiny_folder, device="cpu")).generate(requests()) == first


def test_another_seed_draws_another_answer(lm):
    """And only that request's."""
    asked = requests()
    other = [replace(asked[0], seed=7), *asked[1:]]
    before, after = (TransformersBackend(lm).generate(some) for some in (asked, other))
    assert before[0].token_ids != after[0].token_ids
    assert before[1:] == after[1:]


def test_nothing_global_is_drawn_or_left_changed(lm):
    """Neither torch's generator, nor the mode of the model, nor its gradients."""
    state = torch.random.get_rng_state()
    lm.module.train()
    TransformersBackend(lm).generate(requests())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert lm.module.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in lm.module.parameters())
    assert not torch.is_inference_mode_enabled()


def test_greedy_answers_are_those_of_transformers_own_generate(lm):
    """Which knows nothing of fixed parts."""
    answers = TransformersBackend(lm).generate(requests(sampling=Sampling(temperature=0.0, max_tokens=12)))
    for answer in answers:
        ids = torch.tensor([answer.prompt_ids])
        expected = lm.module.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=0
        )
        assert answer.token_ids == tuple(expected[0, ids.shape[1] :].tolist())


def test_the_stop_token_is_in_the_tokens_and_not_in_the_text(lm):
    """It has a log-probability; an answer that was cut off has none of it."""
    stops = ("a", "e", "o", " ")
    answers = TransformersBackend(lm).generate(requests(40, Sampling(max_tokens=30, stop=stops)))
    ended = [answer for answer in answers if answer.ended]
    stop_tokens = {lm.stop_token(stop) for stop in stops} | {lm.tokenizer.eos_token_id}
    assert ended
    assert len(ended) < len(answers)
    for answer in answers:
        assert len(answer.token_ids) == len(answer.logprobs)
        assert (answer.token_ids[-1] in stop_tokens) == answer.ended
        assert not stop_tokens & set(answer.token_ids[:-1])
        assert answer.ended or len(answer.token_ids) == 30
        words = answer.token_ids[: -1 if answer.ended else None]
        assert answer.text == lm.text(words)


def test_a_fixed_prompt_is_computed_once(lm):
    """For all rows and all calls; other requests under other samplings share it."""
    backend = TransformersBackend(lm)
    read = count_tokens(lm)
    backend.generate(requests())
    assert (backend.prompts.computed, read[0]) == (1, len(lm.tokens(RULES)))
    backend.generate(requests(sampling=Sampling(max_tokens=3)))
    assert backend.prompts.computed == 1
    assert len(lm.tokens(RULES)) not in read[1:]


def count_tokens(lm: LanguageModel) -> list[int]:
    """Return a list that grows by the length of what the model reads, call for call."""
    read: list[int] = []
    lm.module.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    return read


def test_the_cache_of_prompts_is_bounded(lm):
    """The least recently used goes; the answers are the same."""
    asked = [
        Request(Prompt(f"Role {number}. {RULES}", "J"), seed=number, sampling=TWELVE) for number in range(6)
    ]
    roomy, narrow = TransformersBackend(lm), TransformersBackend(lm, cache_bytes=1)
    assert roomy.generate(asked) == narrow.generate(asked)
    assert (len(roomy.prompts), len(narrow.prompts)) == (6, 1)
    bound = roomy.prompts.bytes // 2
    half = TransformersBackend(lm, cache_bytes=bound)
    half.generate(asked)
    assert 0 < half.prompts.bytes <= bound
    half.generate(asked[-1:])
    assert half.prompts.computed == 6


def test_weights_that_changed_are_noticed(lm):
    """What the cache holds of a fixed prompt was computed by the old ones."""
    backend = TransformersBackend(lm)
    before = backend.generate(requests())
    with torch.no_grad():
        for parameter in lm.module.parameters():
            parameter.mul_(1.5)
    after = backend.generate(requests())
    assert after == TransformersBackend(lm).generate(requests())
    assert after != before


@pytest.mark.parametrize("prompt", [Prompt("", "J check bet:"), Prompt("J check bet:", ""), Prompt("J", "")])
def test_one_part_of_a_prompt_may_be_empty(lm, prompt):
    """The tokens and log-probabilities are those of the whole."""
    (answer,) = TransformersBackend(lm).generate([Request(prompt, seed=1, sampling=TWELVE)])
    assert list(answer.prompt_ids) == lm.tokens(prompt.text)
    assert torch.tensor(answer.logprobs) == pytest.approx(logprobs_in_full(lm, answer, 1.0), abs=1e-4)


def test_prompts_without_a_fixed_part_are_padded_right(lm):
    """Of several lengths, in one batch."""
    asked = [Request(Prompt("", state), seed=5, sampling=TWELVE) for state in ("J", *STATES)]
    backend = TransformersBackend(lm)
    same([backend.generate([request])[0] for request in asked], backend.generate(asked))


def test_an_empty_prompt_is_refused(lm):
    """There is nothing that the first token could follow."""
    with pytest.raises(UsageError, match="no tokens"):
        TransformersBackend(lm).generate([Request(Prompt("", ""), seed=1)])


def test_no_requests_have_no_answers(lm):
    """A round in which nobody asks is none."""
    assert TransformersBackend(lm).generate([]) == []


def test_a_prompt_beyond_the_context_names_both_lengths(lm):
    """Before anything is generated; one token less fits."""
    prompt = Prompt(RULES, "J" * 60)
    length = len(lm.tokens(RULES)) + 60
    fits = Sampling(max_tokens=lm.context - length)
    TransformersBackend(lm).generate([Request(prompt, 1, fits)])
    read = count_tokens(lm)
    with pytest.raises(ContextLengthError, match=rf"{length} tokens .* {fits.max_tokens + 1} .* 128 "):
        TransformersBackend(lm).generate(
            [*requests(), Request(prompt, 1, Sampling(max_tokens=fits.max_tokens + 1))]
        )
    assert read == []


def test_a_stop_text_of_two_tokens_is_refused(lm):
    """It would never end an answer."""
    with pytest.raises(UsageError, match="one token"):
        TransformersBackend(lm).generate(requests(1, Sampling(stop=("!!",))))


def test_weights_that_diverged_are_named(lm):
    """By the name of the model, or the folder of the adapter."""
    with torch.no_grad():
        next(lm.module.parameters()).fill_(float("nan"))
    with pytest.raises(DivergenceError, match=lm.name):
        TransformersBackend(lm).generate(requests(1))


def test_a_window_of_attention_is_kept(tiny_folder):
    """Layers that see the last few tokens only: rows of other lengths are not padded there."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    lm = LanguageModel.load(tiny_folder, device="cpu")
    window = {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1}
    types = {"layer_types": ["full_attention", "sliding_attention"]}
    config = Qwen3Config(**{**lm.module.config.to_dict(), **window, **types})
    module = Qwen3ForCausalLM(config).eval()
    module.load_state_dict(lm.module.state_dict())
    sliding = LanguageModel(module, lm.tokenizer, lm.device, lm.dtype, lm.context, "sliding")
    backend = TransformersBackend(sliding)
    answers = backend.generate(requests())
    assert answers != TransformersBackend(lm).generate(requests())
    for answer in answers:
        assert torch.tensor(answer.logprobs) == pytest.approx(
            logprobs_in_full(sliding, answer, 1.0), abs=1e-4
        )


@pytest.mark.parametrize("kind", ["Llama", "GPT2"])
def test_other_architectures_answer_exactly(lm, kind):
    """Rotary or learned positions, whatever the padding in the batch."""
    import transformers

    sizes = {"vocab_size": len(lm.tokenizer), "num_hidden_layers": 2, "num_attention_heads": 4}
    limits = {"hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": lm.context}
    config = getattr(transformers, f"{kind}Config")(**sizes, **limits)
    with seeded(1):
        module = transformers.AutoModelForCausalLM.from_config(config).eval()
    other = LanguageModel(module, lm.tokenizer, lm.device, lm.dtype, lm.context, kind)
    for answer in TransformersBackend(other).generate(requests()):
        assert torch.tensor(answer.logprobs) == pytest.approx(logprobs_in_full(other, answer, 1.0), abs=1e-4)
