"""``clsp dashboards`` against Grafana's API: boards arrive, come up to date, and every refusal says what to do."""

import json

import pytest
from typer.testing import CliRunner

from clsp.errors import ClspError, ConfigError, EndpointError
from pipelines.cli import app
from pipelines.dashboards.boards import BOARDS
from pipelines.dashboards.grafana import Grafana
from tests.dashboards.fake_grafana import TOKEN, running_grafana


@pytest.fixture
def grafana():
    with running_grafana() as made:
        yield made


def _clsp(*arguments, **environment):
    result = CliRunner().invoke(app, ["dashboards", *arguments], env=environment)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def _push(grafana, *arguments):
    return _clsp("push", *arguments, CLSP_GRAFANA_URL=grafana.url, CLSP_GRAFANA_TOKEN=TOKEN)


def test_push_makes_a_folder_with_every_board(grafana):
    links = _push(grafana).split()
    assert set(grafana.dashboards) == {board.uid for board in BOARDS}
    assert {one["folderUid"] for one in grafana.dashboards.values()} == set(grafana.folders)
    assert links[0] == f"{grafana.url}/d/clsp-annotation/clsp-annotation"


def test_push_again_brings_boards_up_to_date(grafana):
    _push(grafana)
    grafana.dashboards["clsp-serving"]["dashboard"]["title"] = "changed by hand"
    _push(grafana)
    assert len(grafana.folders) == 1
    assert grafana.dashboards["clsp-serving"]["dashboard"]["title"] == "CLSP / Serving"
    assert grafana.dashboards["clsp-serving"]["version"] == 2


def test_one_board_can_be_pushed_and_its_link_read_as_json(grafana):
    links = json.loads(_push(grafana, "serving", "--json"))
    assert list(grafana.dashboards) == ["clsp-serving"]
    assert links == {"serving": f"{grafana.url}/d/clsp-serving/clsp-serving"}


def test_a_grafana_below_a_path():
    with running_grafana("/monitoring") as grafana:
        links = Grafana(grafana.url, TOKEN).push(BOARDS[:1], "CLSP")
        assert links == [f"{grafana.url}/d/clsp-annotation/clsp-annotation"]


def test_list_says_what_grafana_has(grafana):
    _push(grafana, "fleet")
    said = _clsp("list", "--json", CLSP_GRAFANA_URL=grafana.url, CLSP_GRAFANA_TOKEN=TOKEN)
    urls = {row["name"]: row["url"] for row in json.loads(said)}
    assert urls["fleet"].endswith("/d/clsp-fleet/clsp-fleet-and-cost")
    assert urls["serving"] == ""


def test_list_and_show_need_no_grafana():
    assert [line.split()[0] for line in _clsp("list").splitlines()] == [board.name for board in BOARDS]
    assert "Queue" in _clsp("show", "serving")
    assert json.loads(_clsp("show", "serving", "--json"))["uid"] == "clsp-serving"


def _refused(grafana, token=TOKEN):
    with pytest.raises(ClspError) as caught:
        Grafana(grafana.url, token).push(BOARDS, "CLSP")
    return str(caught.value)


def test_a_wrong_token_is_named_and_not_shown(grafana):
    said = _refused(grafana, "glsa_wrong")
    assert "make another" in said
    assert "glsa_wrong" not in said


def test_an_account_without_rights(grafana):
    grafana.role = "Viewer"
    assert "give the service account the role Editor" in _refused(grafana)


def test_a_provisioned_board(grafana):
    grafana.provisioned = {"clsp-annotation"}
    assert "provisioned by a file or a ConfigMap" in _refused(grafana)


@pytest.mark.parametrize("status", [500, 503])
def test_a_grafana_that_fails(grafana, status):
    grafana.fault = status
    assert "push again" in _refused(grafana)


def test_a_grafana_that_is_down():
    with pytest.raises(EndpointError, match="check the URL and that it is up"):
        Grafana("http://127.0.0.1:9", TOKEN).boards()


def test_what_is_missing_is_said():
    with pytest.raises(ConfigError, match="set CLSP_GRAFANA_TOKEN"):
        Grafana("http://127.0.0.1:9", "")
    with pytest.raises(ConfigError, match="write it whole"):
        Grafana("grafana", TOKEN)
    with pytest.raises(ConfigError, match="set CLSP_GRAFANA_URL"):
        _clsp("push")
    with pytest.raises(ConfigError, match="choose one of annotation, quality"):
        _clsp("show", "nothing")
