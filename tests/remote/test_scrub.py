"""No secret is left in what is shown."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.remote.credentials import Credentials, find_credentials
from kit.remote.scrub import Scrubber

TOKEN = "KGAT_0123456789abcdef0123456789abcdef"


@settings(max_examples=40)
@given(
    before=st.text(max_size=30),
    after=st.text(max_size=30),
    secret=st.text("abcdef0123456789", min_size=12, max_size=40),
)
def test_a_known_secret_never_shows(before, after, secret):
    """Wherever it stands, however often."""
    assert secret not in Scrubber([secret])(f"{before}{secret}{after} {secret}")


def test_what_looks_like_a_secret_is_hidden_too():
    """A header, a token of Kaggle's form, a field of JSON, a signature in an address."""
    shown = Scrubber()(
        f"Authorization: Bearer {TOKEN} or {TOKEN}; "
        '{"token": "abcdefghijkl", "key":"mnopqrstuvwx"} '
        "https://storage.example/file?X-Goog-Signature=feedbeef&X=1 failed"
    )
    for secret in (TOKEN, "abcdefghijkl", "mnopqrstuvwx", "feedbeef"):
        assert secret not in shown
    assert "https://storage.example/file?***" in shown
    assert shown.endswith("failed")


def test_plain_words_stay_as_they_are():
    """A message is still one to be read."""
    text = "Kernel version 3 successfully pushed.  Please check progress at https://www.kaggle.com/code/a/b"
    assert Scrubber(["abc"])(text) == text


def test_credentials_do_not_show_themselves():
    """Neither their repr nor what they say when they are refused holds them."""
    for one in (Credentials("token", "there", secret=TOKEN), Credentials("key", "there", "tester", "k" * 32)):
        for text in (repr(one), one.refused()):
            assert one.secret not in text
        assert one.authorization().endswith(one.secrets()[1])


def test_they_are_found_in_the_order_of_the_client(tmp_path):
    """A token in the environment, one in a file, a key in the environment, one in a file, a login, nothing."""
    home, kaggle = tmp_path, tmp_path / ".kaggle"
    kaggle.mkdir()
    environ = {"HOME": str(home)}
    assert find_credentials(environ).kind == "none"
    (kaggle / "credentials.json").write_text('{"username": "tester", "refresh_token": "r"}')
    assert find_credentials(environ) == Credentials("login", "~/.kaggle/credentials.json", "tester")
    (kaggle / "kaggle.json").write_text('{"username": "tester", "key": "file key"}')
    assert find_credentials(environ) == Credentials("key", "kaggle.json", "tester", "file key")
    environ |= {"KAGGLE_USERNAME": "tester", "KAGGLE_KEY": "key"}
    assert find_credentials(environ).secret == "key"
    (kaggle / "access_token").write_text("file token\n")
    assert find_credentials(environ) == Credentials("token", "~/.kaggle/access_token", secret="file token")
    environ["KAGGLE_API_TOKEN"] = TOKEN
    assert find_credentials(environ).secret == TOKEN
    environ["KAGGLE_API_TOKEN"] = str(kaggle / "access_token")
    assert find_credentials(environ).secret == "file token"


def test_addresses_without_a_host_and_passwords_in_them_are_hidden():
    """As urllib3 writes them; a plain question mark stays."""
    shown = Scrubber()(
        "Max retries exceeded with url: /bucket/file?X-Goog-Signature=feedbeef by http://me:hunter22@proxy:80/ and/or?"
    )
    assert shown == "Max retries exceeded with url: /bucket/file?*** by http://***@proxy:80/ and/or?"
