"""Where the first design's settings file is, for tests that start services with it."""

from pathlib import Path
from typing import Final

FIRST_DESIGN: Final = Path(__file__).with_name("first_design.yaml")
