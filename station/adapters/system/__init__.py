"""The PC itself: processes, memory for secrets, USB access, logs and transcripts."""
