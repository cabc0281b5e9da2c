"""The line and its slots: boards come, are judged, and go."""
