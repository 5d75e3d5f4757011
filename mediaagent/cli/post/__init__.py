"""`mediaagent post`: something is posted now, or taken charge of for later."""
