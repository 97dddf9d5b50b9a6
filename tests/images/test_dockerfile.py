"""The Dockerfile keeps what images promise: pinned, without rights, and nothing of this machine inside."""

import re

import pytest

from pipelines.images.roles import ROLES
from pipelines.images.stages import DOCKERFILE, FOLDER, default_base, instructions

TEXT = DOCKERFILE.read_text()
STAGES = re.findall(r"^FROM (\S+) AS (\S+)$", TEXT, re.MULTILINE)
ARGUMENTS = {f"${{{name}}}": default for name, default in re.findall(r"^ARG (\w+)=(\S+)$", TEXT, re.MULTILINE)}


def lineage(stage: str) -> list[str]:
    """The stages that this one stands on, itself first, when no argument is given."""
    below = {name: ARGUMENTS.get(source, source) for source, name in STAGES}
    found = [stage]
    while found[-1] in below:
        found.append(below[found[-1]])
    return found


def test_the_base_is_pinned_by_digest():
    assert re.fullmatch(r"[a-z0-9./]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}", default_base())
    assert ":latest" not in TEXT


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_is_a_stage_that_runs_as_a_numbered_user(role):
    text = "".join(instructions(stage) for stage in reversed(lineage(role.name)[:-1]))
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert "org.opencontainers.image.title" in instructions(role.name)


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_what_installs_is_not_below_any_image(role):
    stages = lineage(role.name)
    assert stages[-1] == default_base()
    assert not {"installer", "packages", "code"} & set(stages)


@pytest.mark.parametrize("stage", [name for _, name in STAGES])
def test_no_stage_is_empty_as_buildah_would_leave_its_container(stage):
    assert re.search(r"^(?!ARG|#)[A-Z]+ ", instructions(stage).partition("\n")[2], re.MULTILINE)


def test_what_the_machine_tells_the_installer_is_mounted_and_never_copied():
    assert not re.findall(r"^(?:ENV|ARG) .*(?:INDEX|PROXY|CERT)", TEXT, re.MULTILINE)
    assert "type=secret,id=installer" in instructions("packages")
    copied = {source.split("/")[0] for source in re.findall(r"^COPY (?!--from)(\S+)", TEXT, re.MULTILINE)}
    assert copied == {"clsp", "components", "data_quality", "pipelines", "pyproject.toml", "serving"}


def test_no_index_or_mirror_is_named():
    files = [*FOLDER.glob("*"), *(FOLDER / "locks").glob("*")]
    hosts = {host for file in files if file.is_file() for host in re.findall(r"https?://([\w.-]+)", file.read_text())}
    assert hosts <= {"deb.debian.org"}


def test_only_the_code_reaches_the_builder():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert not any(rule.startswith(("!.", "!tests")) for rule in rules)


def test_the_bytecode_holds_whatever_time_a_layer_gives_its_files():
    assert "PYC_INVALIDATION_MODE=UNCHECKED_HASH" in (FOLDER / "install").read_text()
    assert "--compile-bytecode" in (FOLDER / "install").read_text()
