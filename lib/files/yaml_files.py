"""Parse YAML."""

from typing import Any

import yaml

# libyaml is ten times as fast as the parser in Python, and reads the same.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


def load_yaml(text: str) -> Any:
    """Return the value of a YAML document.

    Raises:
        yaml.YAMLError: The text is not valid YAML.
    """
    try:
        return yaml.load(text, _LOADER)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # names the place of an error better than libyaml
