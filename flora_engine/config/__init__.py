"""Configurations: one YAML file per run, checked whole before anything starts."""

from flora_engine.config.kinds import AnyConfig, DescriptorsConfig, EncoderConfig, FloraConfig, PipelineConfig
from flora_engine.config.load import load_config, parse_config, problems_of
from flora_engine.config.sections import EncoderSettings, FloraSettings, HeadName, ProtocolName, TextSettings

__all__ = [
    "AnyConfig",
    "DescriptorsConfig",
    "EncoderConfig",
    "EncoderSettings",
    "FloraConfig",
    "FloraSettings",
    "HeadName",
    "PipelineConfig",
    "ProtocolName",
    "TextSettings",
    "load_config",
    "parse_config",
    "problems_of",
]
