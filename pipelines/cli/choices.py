"""Options that several commands share: which configuration, which KFP, and answers for programs."""

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from clsp.config import Config, load_config
from clsp.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.remote.calls import Calls

ConfigChoice = Annotated[str, typer.Option(envvar="CLSP_CONFIG", help="Preset (published, demo) or a .yaml file")]
KfpChoice = Annotated[str, typer.Option("--kfp", envvar="CLSP_KFP_URL", help="URL of the KFP API")]
StoreChoice = Annotated[str, typer.Option(envvar="CLSP_STORE", help="Folder, file:// or s3://bucket/prefix")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]


def read_config(source: str) -> Config:
    """The configuration that an option names; ``ConfigError`` for a file that is not there."""
    if source.endswith((".yaml", ".yml")) and not Path(source).exists():
        raise ConfigError(f"no file {source!r}", hint="name a preset (published, demo) or an existing .yaml file")
    return load_config(source)


def connect_kfp(config: Config, url: str) -> "Calls":
    """The KFP API of an option or of the configuration; ``ConfigError`` when neither names one."""
    from pipelines.remote.calls import connect

    settings = config.kfp.model_copy(update={"url": url or config.kfp.url})
    if not settings.url:
        raise ConfigError("which KFP?", hint="give --kfp URL, set CLSP_KFP_URL, or kfp.url in the configuration")
    return connect(settings)


def print_json(value: Any) -> None:
    """Print records or plain values as indented JSON."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    typer.echo(orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode())
