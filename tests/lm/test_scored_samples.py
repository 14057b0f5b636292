"""What the backend samples and what learning scores are one distribution."""

import pytest
import torch

from kit.lm.generation import Prompt, Request, Sampling
from kit.lm.lora import LoraSettings
from kit.lm.scoring import token_logprobs
from kit.lm.transformers_backend import TransformersBackend
from tests.lm.conftest import RULES, STATES
from tests.lm.small import speak_up


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.6, 0.0])
def test_sampled_logprobs_are_the_scored_ones(lm, tmp_path, temperature, merge):
    """Under an adapter, for answers of many lengths, in one batch: to 1e-4, at any temperature."""
    lm.adapt(LoraSettings(rank=4, alpha=8), name="policy")
    speak_up(lm, "policy", 1)
    lm.save_adapter(tmp_path / "policy")
    sampling = Sampling(temperature=temperature, max_tokens=9)
    requests = [
        Request(Prompt(RULES, state), seed, sampling, str(tmp_path / "policy"))
        for seed, state in enumerate(STATES)
    ]
    answers = TransformersBackend(lm, merge=merge).generate(requests)
    with lm.using("policy"), torch.no_grad():
        logprobs, mask = token_logprobs(
            lm,
            [one.prompt_ids for one in answers],
            [one.token_ids for one in answers],
            temperature=temperature,
        )
    sampled = torch.tensor([logprob for one in answers for logprob in one.logprobs])
    torch.testing.assert_close(logprobs[mask], sampled, atol=1e-4, rtol=0)
