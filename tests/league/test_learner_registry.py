"""Learners by name, one's own among them."""

import pytest

from kit.errors import UnknownNameError, UsageError
from kit.league.learners import A2C, BaseLearner, LearnerSettings, Reinforce, learner_class, register_learner
from kit.league.learners.policy_gradient import micro_batches
from kit.lm.scoring import token_logprobs
from tests.league.batches import a_batch
from tests.lm.small import small_lm


class Cloning(BaseLearner):
    """Learns to repeat what won."""

    _share = 1.0

    def initialize_algorithm(self, *, share=1.0, **settings):
        """Set what part of the reward counts."""
        super().initialize_algorithm(**settings)
        self._share = share

    def _update(self, batch):
        won, total = [step for step in batch if step.reward > 0], 0.0
        for numbers in micro_batches(won, self.settings.mini_batch_size):
            steps = [won[number] for number in numbers]
            logprobs, mask = token_logprobs(
                self.lm, [step.prompt_ids for step in steps], [step.token_ids for step in steps]
            )
            loss = -self._share * (logprobs * mask).sum() / len(won)
            self.backward(loss, steps)
            total += float(loss.detach())
        return {"loss": total}


def test_the_built_in_ones_have_their_names():
    """As the documented parameter calls them, with the batches that they take."""
    assert learner_class("reinforce") is Reinforce
    assert learner_class("a2c") is A2C
    assert (Reinforce.batch_of, A2C.batch_of) == ("steps", "episodes")


def test_a_learner_of_ones_own_learns_by_its_name():
    """A subclass with _update is a learner: found by name, stepped, clipped and counted like the others."""
    register_learner("my_algo", Cloning)
    learner = learner_class("my_algo")(small_lm(), LearnerSettings(learning_rate=0.01))
    learner.initialize_algorithm(share=0.5)
    losses = [learner.update(a_batch())["loss"] for _ in range(5)]
    assert losses[-1] < losses[0]
    assert learner.policy_version == 5


def test_an_unknown_name_is_refused_with_the_nearest():
    """The message lists what there is."""
    with pytest.raises(UnknownNameError, match="reinforce") as error:
        learner_class("reinforced")
    assert error.value.nearest == "reinforce"


@pytest.mark.parametrize(
    ("name", "learner"), [("a2c", Cloning), ("", Cloning), ("mine", object), ("mine", None)]
)
def test_what_cannot_be_registered_is_refused(name, learner):
    """Names that are taken, and what is no learner."""
    with pytest.raises(UsageError):
        register_learner(name, learner)
