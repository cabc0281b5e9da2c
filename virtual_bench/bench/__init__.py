"""What all boards and programmer runs of one bench share."""
