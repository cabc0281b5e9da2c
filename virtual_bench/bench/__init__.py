"""The state that all boards and programmer runs of one bench share."""
