"""Base URLs: what is one, and which key belongs to it."""

import pytest

from kit.errors import UsageError
from kit.league.opponents.endpoint import EndpointOpponent
from kit.league.opponents.endpoint_address import EndpointAddress


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
        ("http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_read(url, base):
    """A slash or the whole path at its end is no matter."""
    assert EndpointAddress.read(url).base_url == base


@pytest.mark.parametrize(
    "url", ["", "openrouter.ai/api/v1", "ftp://host/v1", "https://", "http://host:port/v1"]
)
def test_what_is_no_address_is_refused(url):
    """The error says what one looks like."""
    with pytest.raises(UsageError, match="is no base URL"):
        EndpointAddress.read(url)


@pytest.mark.parametrize(
    "url", ["https://me:secret@host/v1", "https://secret@host/v1", "https://host/v1?key=secret"]
)
def test_a_secret_in_an_address_is_refused_and_not_shown(url):
    """It would be in every file that names the opponent."""
    with pytest.raises(UsageError) as caught:
        EndpointAddress.read(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "variable"),
    [
        ("openrouter.ai", "OPENROUTER_API_KEY"),
        ("eu.openrouter.ai", "OPENROUTER_API_KEY"),
        ("notopenrouter.ai", "OPENAI_API_KEY"),
        ("openrouter.ai.example.com", "OPENAI_API_KEY"),
        ("api.openai.com", "OPENAI_API_KEY"),
    ],
)
def test_the_key_belongs_to_the_host(host, variable):
    """A host that only looks like OpenRouter's does not get its key."""
    address = EndpointAddress.read(f"https://{host}/v1")
    assert address.key_variable == variable
    assert address.key({variable: " abc\n"}) == "abc"
    assert address.key({}) == ""


@pytest.mark.parametrize("key", ["a b", "a\nb", "schlüssel", "a\x00b"])
def test_what_is_no_key_is_refused_and_not_shown(key):
    """A header would not hold it, and the library's own error would show it."""
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        EndpointAddress.read("https://host/v1").key({"OPENAI_API_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "here"), [("localhost", True), ("127.0.0.9", True), ("[::1]", True), ("10.0.0.1", False)]
)
def test_this_machine_is_known(host, here):
    """No proxy leads to it."""
    assert EndpointAddress.read(f"http://{host}:1/v1").is_here is here


@pytest.mark.parametrize(
    "name", ["endpoint:", "endpoint:model", "endpoint:@http://host/v1", "endpoint:m@host/v1"]
)
def test_a_name_without_its_parts_is_refused(name):
    """The form is shown."""
    with pytest.raises(UsageError, match="endpoint:MODEL@BASE_URL"):
        EndpointOpponent(name, environ={})


def test_a_model_may_have_an_at_in_its_name():
    """The address begins at the last part that can be one."""
    player = EndpointOpponent("endpoint:@cf/meta/llama@http://host/v1", environ={})
    assert player.model == "@cf/meta/llama"
