"""The tool at hand is taken, its words are passed on, and each speaks of the same build in its own way."""

import pytest

from clsp.errors import ConfigError
from pipelines.images.tools import TOOLS, Build, Tool, choose_tool

ECHO = 'echo "$@" >> "$0.log"\n'


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Only the container tools that a test makes."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda name: str(folder / name) if (folder / name).exists() else None)

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)

    make.folder = folder
    return make


def a_build(tmp_path, **more):
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.touch()
    (tmp_path / "Dockerfile.dockerignore").touch()
    return Build(dockerfile, tmp_path, "step", "registry.example/step:1", **more)


def test_a_command_without_its_engine_is_passed_over(programs):
    programs("docker", "exit 1\n")
    programs("buildah", "exit 0\n")
    assert choose_tool().name == "buildah"


def test_the_named_tool_is_taken_or_refused(programs):
    programs("buildah", "exit 0\n")
    assert choose_tool("buildah").name == "buildah"
    with pytest.raises(ConfigError, match="none of podman works here") as refused:
        choose_tool("podman")
    assert "install podman or buildah" in refused.value.hint


def test_docker_keeps_no_store_apart(programs, tmp_path):
    programs("docker", "exit 0\n")
    programs("podman", "exit 0\n")
    assert choose_tool(store=tmp_path).name == "podman"


@pytest.mark.parametrize(
    ("name", "says", "never"),
    [("docker", ["build"], ["--ignorefile", "chroot"]), ("podman", ["--ignorefile"], ["chroot"]),
     ("buildah", ["--ignorefile", "--isolation chroot"], [])],
)  # fmt: skip
def test_a_build_is_said_in_the_words_of_each(programs, tmp_path, name, says, never):
    programs(name, f'{ECHO}while [ $# -gt 0 ]; do [ "$1" = --iidfile ] && echo sha256:abc > "$2"; shift; done\n')
    build = a_build(tmp_path, arguments={"LOCK": "step"}, labels={"a": "b"}, secrets={"certificates": tmp_path})
    assert Tool(name).build(build) == "abc"
    words = (programs.folder / f"{name}.log").read_text()
    common = ["--target step", "--build-arg LOCK=step", "--label a=b", f"--secret id=certificates,src={tmp_path}"]
    assert all(part in words for part in [*common, *says])
    assert not any(part in words for part in never)


@pytest.mark.parametrize(("name", "says"), [("docker", []), ("podman", ["--ulimit=nofile=1024:1024"])])
def test_a_command_runs_without_network_within_limits_that_every_host_gives(programs, name, says):
    programs(name, f"{ECHO}echo listed\n")
    assert Tool(name).run("step:1", ["python3", "-m", "x"]) == "listed\n"
    words = (programs.folder / f"{name}.log").read_text()
    assert all(part in words for part in ["--network=none", "--entrypoint=python3 step:1 -m x", *says])
    assert ("--ulimit" in words) == bool(says)


def test_docker_is_asked_for_buildkit(programs, tmp_path):
    programs("docker", 'echo "$DOCKER_BUILDKIT" > "$(dirname "$0")/kit"; while [ $# -gt 0 ]; do '
             '[ "$1" = --iidfile ] && echo abc > "$2"; shift; done\n')  # fmt: skip
    Tool("docker").build(a_build(tmp_path))
    assert (programs.folder / "kit").read_text() == "1\n"


def test_a_failed_build_tells_the_end_of_what_the_tool_said(programs, tmp_path):
    programs("buildah", "echo step 1; echo no space left >&2; exit 125\n")
    with pytest.raises(ConfigError, match="no space left"):
        Tool("buildah").build(a_build(tmp_path))


@pytest.mark.parametrize("name", TOOLS)
def test_an_image_is_pushed_under_its_name(programs, name):
    programs(name, ECHO)
    Tool(name).push("registry.example/speech/step:1")
    assert (programs.folder / f"{name}.log").read_text() == "push --quiet registry.example/speech/step:1\n"


def test_an_image_that_is_not_there_is_none(programs):
    programs("podman", "exit 125\n")
    assert Tool("podman").find("nothing:1") is None


def test_an_archive_appears_whole_or_not_at_all(programs, tmp_path):
    programs("docker", 'while [ $# -gt 0 ]; do [ "$1" = --output ] && echo half > "$2"; shift; done; exit 1\n')
    archive = tmp_path / "archives" / "step.tar"
    with pytest.raises(ConfigError):
        Tool("docker").save("abc", "step:1", archive)
    assert not archive.exists()
