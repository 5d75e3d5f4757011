"""Plug-ins that come along; they use only mediaagent.api, as everybody else's do."""
