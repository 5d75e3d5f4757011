"""What the demo plays to the agent: a camera, a telephone system and a test run, which write as the real ones do."""

from .camera import draw_visit
from .phone import leave_message
from .pipeline import build_program, run_tests

__all__ = ["build_program", "draw_visit", "leave_message", "run_tests"]
