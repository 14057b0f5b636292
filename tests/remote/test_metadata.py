"""kernel-metadata.json: what Kaggle would refuse, or misunderstand, is refused here, with the rule."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import UsageError
from kit.remote.metadata import (
    check_owner,
    check_slug,
    check_sources,
    check_title,
    kernel_metadata,
    slug_of,
    title_of,
)

SLUGS = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).filter(lambda slug: 5 <= len(slug) <= 50)


@given(SLUGS)
def test_a_title_made_of_a_slug_becomes_it_again(slug):
    """No kernel of another address is made by a title of ours."""
    assert slug_of(title_of(slug)) == slug
    assert check_title(title_of(slug), check_slug(slug)) == title_of(slug)


@given(st.text(string.printable, max_size=60))
def test_any_text_is_a_slug_or_refused_with_a_legal_one(text):
    """What comes back as the nearest form is legal itself."""
    try:
        found = check_slug(text)
    except UsageError as error:
        found, refused = error.nearest or "abcde", str(error)
    else:
        refused = repr(text)
    assert repr(text) in refused
    assert check_slug(found) == found


@pytest.mark.parametrize(
    ("slug", "nearest"),
    [
        ("Traffic_Signal", "traffic-signal"),
        ("a--bcde", "a-bcde"),
        ("abc", None),
        ("x" * 51, "x" * 50),
        ("", None),
    ],
)
def test_a_bad_slug_is_named_with_the_rule_and_the_nearest(slug, nearest):
    """Five to fifty small letters, digits and single hyphens."""
    with pytest.raises(UsageError, match=r"5 to 50 lower-case letters and digits") as refused:
        check_slug(slug)
    assert refused.value.nearest == nearest


@pytest.mark.parametrize("title", ["abcd", "x" * 51, "two\nlines", ""])
def test_a_title_of_another_length_or_of_two_lines_is_refused(title):
    """Kaggle takes 5 to 50 characters."""
    with pytest.raises(UsageError, match="Not a title for Kaggle"):
        check_title(title, "traffic-signal")


def test_a_title_that_becomes_another_slug_is_refused():
    """The client only warns of it, and the service makes another kernel."""
    with pytest.raises(UsageError, match="becomes the slug 'my-signal', and not 'traffic-signal'"):
        check_title("My signal", "traffic-signal")


@pytest.mark.parametrize("owner", ["", "OWNER", "a/b", "me@home", "-me"])
def test_an_owner_that_is_none_is_refused(owner):
    """The placeholder of the templates is not pushed."""
    with pytest.raises(UsageError, match="your user name at Kaggle"):
        check_owner(owner)


@pytest.mark.parametrize("source", ["runs", "a/b/c", "a b/c", "me/Data_Set", "https://x/y"])
def test_a_source_that_is_no_address_is_refused(source):
    """owner/slug, or one version of it."""
    with pytest.raises(UsageError, match="Not a kernel source"):
        check_sources("kernel source", [source])


def test_a_kernel_is_private_and_without_internet():
    """What is not asked for is off; a GPU run gets two T4."""
    metadata = kernel_metadata(
        ("me", "traffic-signal"), "Traffic signal", "a.ipynb", kernel_sources=["me/other-run/3"]
    )
    assert (metadata["is_private"], metadata["enable_internet"], metadata["enable_gpu"]) == (
        True,
        False,
        False,
    )
    assert metadata["kernel_sources"] == ["me/other-run/3"]
    assert "machine_shape" not in metadata
    with_gpu = kernel_metadata(("me", "traffic-signal"), "Traffic signal", "a.ipynb", gpu=True)
    assert (with_gpu["enable_gpu"], with_gpu["machine_shape"]) == (True, "NvidiaTeslaT4")
