"""`station demo`: the main job on the virtual bench."""
