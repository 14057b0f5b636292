"""No secret travels in a pushed notebook."""

import pytest

from kit.errors import UsageError
from kit.remote.secret_check import refuse_secrets

SECRETS = {
    "Kaggle token": "KGAT_" + "0a" * 16,
    "Kaggle key": "0123456789abcdef" * 2,
    "Hugging Face": "hf_" + "aB3" * 11,
    "AWS": "AKIA" + "ABCD1234" * 2,
    "OpenAI": "sk-" + "proj-Ab1_" * 5,
    "GitHub": "ghp_" + "a1B2" * 9,
    "private key": "-----BEGIN RSA PRIVATE KEY-----",
    "password in an address": "postgres://me:hunter2@db/runs",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_a_value_that_looks_like_a_token_is_refused_and_not_shown(text):
    """Whatever the parameter is called, also in lists and dicts; the message does not hold the secret."""
    for value in (text, [text], {"place": [text]}):
        with pytest.raises(UsageError, match="'source' looks like") as refused:
            refuse_secrets({"source": value})
        assert text not in str(refused.value)


@pytest.mark.parametrize("name", ["token", "hf_token", "API_KEY", "key", "password", "client_secret", "auth"])
def test_a_parameter_of_a_secrets_name_is_refused_when_it_has_a_value(name):
    """Empty, a number or None, it is no secret."""
    refuse_secrets({name: ""})
    refuse_secrets({name: None, f"max_{name}": 512})
    with pytest.raises(UsageError, match=f"{name!r} is a secret by its name"):
        refuse_secrets({name: "x"})
    with pytest.raises(UsageError, match="is a secret by its name"):
        refuse_secrets({"settings": {name: "x"}})


def test_ordinary_parameters_pass():
    """Names that only begin alike, paths, addresses without a password, short hashes."""
    refuse_secrets(
        {
            "keyboard": "de",
            "tokens": "data/tokens.bin",
            "monkey": "x",
            "url": "https://host/a:b",
            "hash": "0a1b" * 4,
        }
    )


def test_a_token_in_a_cell_is_refused():
    """Code travels too."""
    with pytest.raises(UsageError, match="Code cell 1 holds what looks like a Hugging Face token"):
        refuse_secrets({}, ["x = 1", f"login({SECRETS['Hugging Face']!r})"])
