"""Names from strangers' data sets."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.datasets.guards import inside, is_safe_name, member_name


@pytest.mark.parametrize(
    "name", ["", "..", "a/../../b", "/etc/passwd", "..\\..\\b", "C:\\x", "a\nb", "a\x00b", "x" * 301]
)
def test_names_that_lead_elsewhere_are_refused(name):
    assert not is_safe_name(name)


@given(st.text(max_size=40))
def test_a_safe_name_stays_below_its_root(name):
    if is_safe_name(name):
        assert ".." not in PurePosixPath(name).parts
        assert not PurePosixPath(name).is_absolute()


@given(st.text(min_size=1, max_size=200))
def test_every_id_has_a_member_name_that_any_tar_takes(name):
    member = member_name(name)
    assert 0 < len(member) <= 90
    assert "/" not in member


def test_a_link_that_leads_outside_is_no_file_inside(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    assert inside(tmp_path / "root", "link") is None
