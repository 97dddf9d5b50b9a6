"""What the machine's pip and uv are told reaches the build as a secret, in both their words."""

import pytest

from pipelines.images.installer import installer_secrets, settings_of

INDEX = "https://index.example/simple"


def test_uv_is_told_what_pip_is():
    assert settings_of({"PIP_INDEX_URL": INDEX}, {}) == {"PIP_INDEX_URL": INDEX, "UV_DEFAULT_INDEX": INDEX}


def test_the_environment_wins_over_pips_files_and_the_rest_stays_here():
    settings = settings_of({"PIP_INDEX_URL": INDEX, "HOME": "/root"}, {"PIP_INDEX_URL": "other", "PIP_CERT": "x"})
    assert settings["PIP_INDEX_URL"] == INDEX
    assert settings.keys() == {"PIP_INDEX_URL", "UV_DEFAULT_INDEX"}


def test_secrets_are_files_only_while_a_build_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:it's@index.example/simple")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    with installer_secrets() as secrets:
        assert secrets["certificates"] == tmp_path / "bundle.pem"
        text = secrets["installer"].read_text()
        assert """export PIP_INDEX_URL='https://user:it'"'"'s@index.example/simple'""" in text
    assert not secrets["installer"].exists()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"])
def test_any_name_of_the_certificates_is_heard(name, tmp_path, monkeypatch):
    for other in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(tmp_path))
    with installer_secrets() as secrets:
        assert secrets["certificates"] == tmp_path
