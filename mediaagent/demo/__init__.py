"""What the demo plays to the agent: a camera and a telephone system, which write as the real ones do."""

from .camera import draw_visit
from .phone import leave_message

__all__ = ["draw_visit", "leave_message"]
